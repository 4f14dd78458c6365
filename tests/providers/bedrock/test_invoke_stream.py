"""The frames of InvokeModelWithResponseStream as events of a reply."""

from base64 import b64encode
from collections.abc import Mapping

import pytest

from megallm.errors import RateLimited, UpstreamFailed, UpstreamOverloaded
from megallm.messages.events import MessageDelta, MessageStart, MessageStop, Relayed, StreamEvent, Usage
from megallm.messages.native.relay import NativeRelay
from megallm.providers.bedrock.aws import Frame, Frames
from megallm.providers.bedrock.invoke.stream import InvokeStream

from .frames import chunk, exception

METRICS = {"amazon-bedrock-invocationMetrics": {"inputTokenCount": 9, "outputTokenCount": 2, "firstByteLatency": 7}}
START = {
    "type": "message_start",
    "message": {"id": "msg_bdrk_1", "type": "message", "content": [], "usage": {"input_tokens": 9, "output_tokens": 1}},
}
REPLY: list[Mapping[str, object]] = [
    START,
    {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}},
    {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "Hi"}},
    {"type": "content_block_stop", "index": 0},
    {
        "type": "message_delta",
        "delta": {"stop_reason": "end_turn", "stop_sequence": None},
        "usage": {"output_tokens": 2},
    },
    {"type": "message_stop", **METRICS},
]


def events_of(*frames: bytes) -> list[StreamEvent]:
    """What they become."""
    stream = InvokeStream(NativeRelay(input_estimate=5))
    return [event for frame in Frames().feed(b"".join(frames)) for event in stream.feed(frame)]


def test_events_are_relayed_and_amazons_metrics_are_not() -> None:
    """Deltas byte for byte."""
    events = events_of(*map(chunk, REPLY))

    assert [type(event) for event in events] == [MessageStart, Relayed, Relayed, Relayed, MessageDelta, MessageStop]
    assert events[2] == Relayed(
        b'event: content_block_delta\ndata: {"type":"content_block_delta","index":0,'
        b'"delta":{"type":"text_delta","text":"Hi"}}\n\n'
    )
    assert isinstance(events[4], MessageDelta)
    assert (events[4].stop_reason, events[4].usage.input_tokens, events[4].usage.output_tokens) == ("end_turn", 9, 2)
    assert b"amazon" not in repr(events).encode()


def test_amazons_fields_are_cut_out_of_events_that_go_on() -> None:
    """A guardrail's trace may stand in any of them; words of the same spelling stay."""
    stop = {"type": "content_block_stop", "index": 0, "amazon-bedrock-guardrailAction": "NONE"}
    said = {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": '"amazon-bedrock-x'}}

    events = events_of(*map(chunk, [*REPLY[:2], said, stop]))

    assert isinstance(events[2], Relayed)
    assert b'\\"amazon-bedrock-x' in events[2].frame
    assert events[3] == Relayed(b'event: content_block_stop\ndata: {"type":"content_block_stop","index":0}\n\n')


def test_an_exception_in_place_of_the_rest() -> None:
    """Bedrock's own, and the model's inside a chunk."""
    overloaded = {"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}}

    with pytest.raises(RateLimited):
        events_of(chunk(START), exception("throttlingException", {"message": "slow"}))
    with pytest.raises(UpstreamOverloaded):
        events_of(chunk(START), chunk(overloaded))


@pytest.mark.parametrize(
    "payload",
    [b"", b"[]", b"{}", b'{"bytes":7}', b'{"bytes":"%%%"}', b'{"bytes":"%b"}' % b64encode(b'["amazon-bedrock-x"]')],
)
def test_a_chunk_that_cannot_be_read_is_an_error(payload: bytes) -> None:
    """Never skipped."""
    with pytest.raises(UpstreamFailed):
        InvokeStream(NativeRelay()).feed(Frame("event", "chunk", payload))


def test_an_event_that_is_no_chunk_says_nothing() -> None:
    """Bedrock may invent some."""
    assert InvokeStream(NativeRelay()).feed(Frame("event", "initial-response", b"{}")) == []


def test_usage_is_known_from_the_beginning() -> None:
    """For a call that is broken off."""
    relay = NativeRelay(input_estimate=5)
    stream = InvokeStream(relay)

    for frame in Frames().feed(chunk(START)):
        stream.feed(frame)

    assert relay.usage == Usage(9, 1, native={"input_tokens": 9, "output_tokens": 1})

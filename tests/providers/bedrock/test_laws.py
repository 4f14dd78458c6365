"""The laws of a stream, for every transcript: cut anywhere, ended anywhere, folded, and whole."""

from collections.abc import Mapping, Sequence

import pytest
from pydantic_core import from_json

from megallm.errors import UpstreamFailed
from megallm.messages.events import Event, MessageStop, Relayed, Reply, StreamEvent, Usage
from megallm.messages.fold import fold
from megallm.messages.native.relay import NativeRelay
from megallm.messages.native.reply import native_reply
from megallm.messages.replies import reply_to_wire
from megallm.messages.sse import encode
from megallm.providers.bedrock.aws import Frames
from megallm.providers.bedrock.converse.stream import ConverseStream, Expected, from_wire
from megallm.providers.bedrock.invoke.stream import InvokeStream
from tests.transcripts import load, names
from tests.wire_legality import check, payloads

from .asking import counting_ids

CONVERSED = [name for name in names("bedrock", ".eventstream") if "/converse_" in name]
INVOKED = [name for name in names("bedrock", ".eventstream") if "/invoke_" in name]
ESTIMATE = Usage(9, 9)


def expected(name: str) -> Expected:
    """What the request said; Claude's own signatures pass."""
    sign = None if "signed" in name else lambda text: f"signed {text}"
    return Expected(new_tool_id=counting_ids(), sign=sign, tool_names={}, input_estimate=9)


def converse(name: str, pieces: Sequence[bytes]) -> list[Event]:
    """The events of a reply that comes in these pieces."""
    frames, stream = Frames(), ConverseStream(expected(name))
    events: list[Event] = []
    for piece in pieces:
        for frame in frames.feed(piece):
            events += stream.feed(frame.name, from_json(frame.payload))
    frames.finish()
    return events + stream.finish(ESTIMATE)


def invoke(pieces: Sequence[bytes]) -> list[StreamEvent]:
    """The same for our own format."""
    frames, relay = Frames(), NativeRelay(input_estimate=9)
    stream = InvokeStream(relay)
    events = [event for piece in pieces for frame in frames.feed(piece) for event in stream.feed(frame)]
    frames.finish()
    relay.finish()
    return events


def written(events: Sequence[StreamEvent]) -> list[bytes]:
    """As clients get them."""
    return [encode(event, "msg_1", "claude-x") for event in events]


def whole(name: str) -> Reply:
    """The reply that was not streamed."""
    body = load(name.replace(".eventstream", ".json")).body
    return from_wire(from_json(body), expected(name)) if "/converse_" in name else native_reply(body)


def folded(events: Sequence[StreamEvent]) -> Mapping[str, object]:
    """What an SDK makes of a relayed stream, by rules of the test's own."""
    message: dict[str, object] = {}
    content: list[dict[str, object]] = []
    texts: list[str] = []
    for payload in payloads(b"".join(written(events))):
        match payload:
            case {"type": "message_start", "message": start}:
                message = start
            case {"type": "content_block_start", "content_block": block}:
                content.append(block)
                texts = []
            case {"type": "content_block_delta", "delta": {"type": "signature_delta", "signature": signature}}:
                content[-1]["signature"] = signature
            case {"type": "content_block_delta", "delta": {"type": kind, **piece}}:
                ((member, text),) = piece.items()
                assert isinstance(member, str)
                texts.append(str(text))
                joined = "".join(texts)
                if kind == "input_json_delta":
                    content[-1]["input"] = joined
                else:
                    content[-1][member] = joined
            case {"type": "message_delta", "delta": delta, "usage": usage}:
                message |= {**delta, "usage": usage}
    for block in content:
        if block["type"] == "tool_use":
            block["input"] = from_json(str(block["input"]))
    return {**message, "content": content}


@pytest.mark.parametrize("name", CONVERSED)
def test_a_stream_of_converse_folds_to_the_reply_that_is_not_streamed(name: str) -> None:
    """Block by block, with its usage and its reason (C31)."""
    assert fold(converse(name, [load(name).body])) == whole(name)


@pytest.mark.parametrize("name", INVOKED)
def test_a_stream_of_invoke_folds_to_the_reply_that_is_not_streamed(name: str) -> None:
    """As a client reads both (C31)."""
    streamed = folded(invoke([load(name).body]))
    plain = reply_to_wire(whole(name), "msg_1", "claude-x")

    kept = ("content", "stop_reason", "stop_sequence")
    assert {member: streamed[member] for member in kept} == {
        member: list(value) if isinstance(value := plain[member], tuple) else value for member in kept
    }
    told, usage = streamed["usage"], plain["usage"]
    assert isinstance(told, dict)
    assert isinstance(usage, dict)
    assert (told["input_tokens"], told["output_tokens"]) == (usage["input_tokens"], usage["output_tokens"])


# Every cut runs the same branches once more: measuring their coverage would take minutes and show nothing.
EVERY_CUT = pytest.mark.no_cover


@EVERY_CUT
@pytest.mark.parametrize("name", CONVERSED)
def test_converse_cut_anywhere_is_the_same(name: str) -> None:
    """At every byte, and byte by byte (C31)."""
    body = load(name).body
    uncut = converse(name, [body])

    for at in range(len(body)):
        assert converse(name, [body[:at], body[at:]]) == uncut, at
    assert converse(name, [body[at : at + 1] for at in range(len(body))]) == uncut


@EVERY_CUT
@pytest.mark.parametrize("name", INVOKED)
def test_invoke_cut_anywhere_is_the_same(name: str) -> None:
    """At every byte, and byte by byte (C31)."""
    body = load(name).body
    uncut = invoke([body])

    for at in range(len(body)):
        assert invoke([body[:at], body[at:]]) == uncut, at
    assert invoke([body[at : at + 1] for at in range(len(body))]) == uncut


def last_frame(body: bytes) -> int:
    """Where the last frame begins."""
    at = 0
    while at + (size := int.from_bytes(body[at : at + 4], "big")) < len(body):
        at += size
    return at


@EVERY_CUT
@pytest.mark.parametrize("name", CONVERSED + INVOKED)
def test_a_stream_that_ends_early_is_an_error(name: str) -> None:
    """At every byte (C28); Converse's usage alone may be missing whole, since the reply is whole without it (C27)."""
    body = load(name).body
    without_usage = last_frame(body)

    for at in range(len(body)):
        if "/converse_" in name and at == without_usage:
            assert fold(converse(name, [body[:at]])).usage == ESTIMATE
            continue
        with pytest.raises(UpstreamFailed):
            converse(name, [body[:at]]) if "/converse_" in name else invoke([body[:at]])


@pytest.mark.parametrize("name", CONVERSED + INVOKED)
def test_every_prefix_of_the_events_is_legal(name: str) -> None:
    """And the whole ends as it has to (C25)."""
    body = load(name).body
    events = converse(name, [body]) if "/converse_" in name else invoke([body])

    law = check(written(events))

    assert law.is_whole
    assert events[-1] == MessageStop()
    assert all(not isinstance(event, Relayed) or b"amazon" not in event.frame for event in events)

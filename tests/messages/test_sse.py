"""Server-sent events: what is written can be read, and what is read does not depend on the cuts."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic_core import from_json

from megallm.errors import UpstreamFailed
from megallm.messages.events import (
    BlockStart,
    BlockStop,
    Event,
    InputJsonDelta,
    MessageDelta,
    MessageStart,
    MessageStop,
    Relayed,
    SignatureDelta,
    TextDelta,
    ThinkingDelta,
    Usage,
)
from megallm.messages.sse import MAX_LINE_BYTES, PING, ServerSentEvent, SseDecoder, encode, encode_error

USAGE_WIRE = {
    "input_tokens": 4,
    "cache_creation_input_tokens": 1,
    "cache_read_input_tokens": 2,
    "output_tokens": 3,
    "prompt_tokens": 7,
    "completion_tokens": 3,
    "total_tokens": 10,
    "output_tokens_details": {"thinking_tokens": 1},
}
_OURS = ("prompt_tokens", "completion_tokens", "total_tokens")
STARTED_USAGE_WIRE = {name: value for name, value in USAGE_WIRE.items() if name not in _OURS}
USAGE = Usage(4, 3, cache_read_input_tokens=2, cache_creation_input_tokens=1, thinking_tokens=1)

STREAM: list[tuple[Event, dict[str, object]]] = [
    (
        MessageStart(USAGE),
        {
            "type": "message_start",
            "message": {
                "id": "msg_1",
                "type": "message",
                "role": "assistant",
                "model": "claude",
                "content": [],
                "stop_reason": None,
                "stop_sequence": None,
                "usage": STARTED_USAGE_WIRE,
            },
        },
    ),
    (
        BlockStart(0, {"type": "text", "text": ""}),
        {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}},
    ),
    (
        TextDelta(0, 'a "quoted"\nline\u2028'),
        {
            "type": "content_block_delta",
            "index": 0,
            "delta": {"type": "text_delta", "text": 'a "quoted"\nline\u2028'},
        },
    ),
    (
        InputJsonDelta(1, '{"a":'),
        {"type": "content_block_delta", "index": 1, "delta": {"type": "input_json_delta", "partial_json": '{"a":'}},
    ),
    (
        ThinkingDelta(2, "hm"),
        {"type": "content_block_delta", "index": 2, "delta": {"type": "thinking_delta", "thinking": "hm"}},
    ),
    (
        SignatureDelta(2, "sig"),
        {"type": "content_block_delta", "index": 2, "delta": {"type": "signature_delta", "signature": "sig"}},
    ),
    (BlockStop(2), {"type": "content_block_stop", "index": 2}),
    (
        MessageDelta("refusal", USAGE, None, {"type": "refusal"}),
        {
            "type": "message_delta",
            "delta": {"stop_reason": "refusal", "stop_sequence": None, "stop_details": {"type": "refusal"}},
            "usage": USAGE_WIRE,
        },
    ),
    (MessageStop(), {"type": "message_stop"}),
]


def read(pieces: list[bytes]) -> list[ServerSentEvent]:
    decoder = SseDecoder()
    return [event for piece in pieces for event in decoder.feed(piece)] + decoder.finish()


def test_each_event_becomes_the_frame_of_its_type() -> None:
    """`event:` and `data.type` agree, and the payloads are the SDK's shapes (C25)."""
    for event, payload in STREAM:
        (frame,) = read([encode(event, "msg_1", "claude")])

        assert (frame.event, from_json(frame.data)) == (payload["type"], payload)


def test_a_relayed_frame_is_written_as_it_came() -> None:
    """Unread."""
    assert encode(Relayed(b"data: {}\n\n"), "msg_1", "claude") == b"data: {}\n\n"


def test_an_error_is_the_last_frame() -> None:
    """With the envelope that a body would have had (C28)."""
    (frame,) = read([encode_error(UpstreamFailed("It broke"), "req_1")])

    assert (frame.event, from_json(frame.data)) == (
        "error",
        {"type": "error", "error": {"type": "api_error", "message": "It broke"}, "request_id": "req_1"},
    )


def test_a_ping_is_a_frame_too() -> None:
    """C29."""
    assert read([PING]) == [ServerSentEvent("ping", '{"type":"ping"}')]


LINES = st.text(alphabet=st.characters(codec="utf-8", exclude_characters="\r\n"), max_size=10)
EVENTS = st.lists(
    st.builds(ServerSentEvent, LINES.filter(bool), st.lists(LINES, min_size=1, max_size=3).map("\n".join)), max_size=4
)


def write(events: list[ServerSentEvent], newline: bytes) -> bytes:
    lines: list[bytes] = []
    for event in events:
        lines.append(b": a comment")
        lines.append(b"event: " + event.event.encode())
        lines += [b"data: " + line.encode() for line in event.data.split("\n")]
        lines.append(b"")
    return b"".join(line + newline for line in lines)


@given(EVENTS, st.sampled_from([b"\n", b"\r\n", b"\r"]), st.booleans(), st.lists(st.integers(0, 400), max_size=6))
def test_events_survive_any_line_ends_and_any_cuts(
    events: list[ServerSentEvent], newline: bytes, with_mark: bool, cuts: list[int]
) -> None:
    """CR, LF and CRLF, a byte-order mark, comments, cuts inside a character (C31)."""
    stream = (b"\xef\xbb\xbf" if with_mark else b"") + write(events, newline)
    edges = [0, *sorted(min(cut, len(stream)) for cut in cuts), len(stream)]

    pieces = [stream[start:end] for start, end in itertools.pairwise(edges)]

    assert read(pieces) == events


@given(EVENTS, st.sampled_from([b"\n", b"\r\n", b"\r"]))
def test_events_survive_byte_by_byte(events: list[ServerSentEvent], newline: bytes) -> None:
    """The finest of all cuts."""
    stream = write(events, newline)

    assert read([stream[at : at + 1] for at in range(len(stream))]) == events


def test_a_line_without_an_end_is_given_up() -> None:
    """An upstream that sends rubbish does not fill the memory."""
    decoder = SseDecoder()

    decoder.feed(b"data: ")
    decoder.feed(b"x" * (MAX_LINE_BYTES - 6))

    with pytest.raises(UpstreamFailed):
        decoder.feed(b"x")


def test_an_event_without_its_blank_line_is_not_dispatched() -> None:
    """A stream that dies in the middle of an event has not sent it."""
    assert read([b"data: whole\n\ndata: half\n"]) == [ServerSentEvent("message", "whole")]


def test_an_event_without_data_is_none() -> None:
    """The specification says so; some servers send them as keep-alives."""
    assert read([b"event: ping\n\n: hi\n\ndata\n\n"]) == [ServerSentEvent("message", "")]


def test_bytes_that_are_not_utf8_do_not_stop_the_stream() -> None:
    """They become U+FFFD."""
    assert read([b"data: \xff\n\n"]) == [ServerSentEvent("message", "\ufffd")]

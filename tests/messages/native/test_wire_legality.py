"""The law of the wire finds what is illegal: without this, the tests that rely on it could not fail."""

from collections.abc import Mapping

import pytest
from pydantic_core import to_json

from tests.wire_legality import check, payloads

MESSAGE = {
    "content": [],
    "usage": {"input_tokens": 1, "cache_read_input_tokens": 0, "cache_creation_input_tokens": 0},
}
START = {"type": "message_start", "message": MESSAGE}
TEXT = {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}}
NEXT = {**TEXT, "index": 1}
DELTA = {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "Hi"}}
STOP = {"type": "content_block_stop", "index": 0}
END = {"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": {"output_tokens": 1}}
LAST = {"type": "message_stop"}
PING = {"type": "ping"}
ERROR = {"type": "error", "error": {}}


def frames(*written: Mapping[str, object]) -> list[bytes]:
    return [b"event: %b\ndata: %b\n\n" % (str(each["type"]).encode(), to_json(each)) for each in written]


def test_a_reply_in_its_plain_form_is_legal() -> None:
    """Pings and unknown events may stand anywhere after its start."""
    law = check(frames(START, PING, TEXT, DELTA, PING, STOP, NEXT, {**STOP, "index": 1}, END, END, PING, LAST))

    assert law.is_whole


def test_an_error_may_end_it_at_any_time() -> None:
    """It is not whole then."""
    assert not check(frames(ERROR)).is_whole
    assert not check(frames(START, TEXT, ERROR)).is_whole


ILLEGAL = [
    [TEXT],
    [PING],
    [START, START],
    [{**START, "message": {**MESSAGE, "content": [1]}}],
    [START, NEXT],
    [START, TEXT, NEXT],
    [START, DELTA],
    [START, TEXT, STOP, DELTA],
    [START, TEXT, {**DELTA, "index": 1}],
    [START, STOP],
    [START, TEXT, STOP, STOP],
    [START, TEXT, END],
    [START, END, TEXT],
    [START, LAST],
    [START, {**END, "delta": {"stop_reason": None}}],
    [START, END, LAST, PING],
    [START, ERROR, PING],
]


@pytest.mark.parametrize("written", ILLEGAL)
def test_what_breaks_the_law_is_found(written: list[Mapping[str, object]]) -> None:
    """Its last frame is the illegal one."""
    check(frames(*written[:-1]))

    with pytest.raises(AssertionError):
        check(frames(*written))


@pytest.mark.parametrize(
    "stream",
    [
        b'event: ping\ndata: {"type":"ping"}\n',
        b'data: {"type":"ping"}\n\n',
        b"event: ping\n\n",
        b'event: ping\nretry: 3\ndata: {"type":"ping"}\n\n',
        b'event: ping\ndata: {"type":"pong"}\n\n',
        b"event: ping\ndata: []\n\n",
    ],
)
def test_what_is_no_frame_is_found(stream: bytes) -> None:
    """Half of one, without its name or its data, with two names, no object."""
    with pytest.raises(AssertionError):
        payloads(stream)

"""The judge of streams lets nothing pass that a client could stumble over."""

import pytest

from megallm.messages.events import (
    BlockStart,
    BlockStop,
    Event,
    InputJsonDelta,
    MessageDelta,
    MessageStart,
    MessageStop,
    TextDelta,
    Usage,
)
from tests.legality import assert_legal

USAGE = Usage(input_tokens=1)
START = MessageStart(USAGE)
TEXT = BlockStart(0, {"type": "text", "text": ""})
END = (MessageDelta("end_turn", USAGE), MessageStop())


def call(index: int, call_id: str) -> BlockStart:
    return BlockStart(index, {"type": "tool_use", "id": call_id, "name": "f", "input": {}})


def test_a_whole_stream_is_legal() -> None:
    """Blocks of each kind, one after the other."""
    assert_legal([START, TEXT, TextDelta(0, "a"), BlockStop(0), call(1, "t"), BlockStop(1), *END], whole=True)


@pytest.mark.parametrize(
    "events",
    [
        [TEXT],
        [START, START],
        [MessageStart(Usage())],
        [START, TextDelta(0, "a")],
        [START, TEXT, InputJsonDelta(0, "{}")],
        [START, TEXT, TextDelta(1, "a")],
        [START, TEXT, call(1, "t")],
        [START, BlockStart(1, {"type": "text", "text": ""})],
        [START, TEXT, BlockStop(0), TextDelta(0, "a")],
        [START, TEXT, BlockStop(1)],
        [START, BlockStop(-1)],
        [START, call(0, "t"), BlockStop(0), call(1, "t")],
        [START, TEXT, END[0]],
        [START, MessageStop()],
        [START, *END, MessageStop()],
        [START, END[0], TEXT],
    ],
)
def test_what_a_client_would_stumble_over_is_not(events: list[Event]) -> None:
    """Each breaks one rule with its last event."""
    assert_legal(events[:-1])
    with pytest.raises(AssertionError):
        assert_legal(events)


def test_a_stream_that_breaks_off_is_legal_but_not_whole() -> None:
    """Clients read it until an error comes."""
    assert_legal([START, TEXT])
    with pytest.raises(AssertionError):
        assert_legal([START, TEXT], whole=True)

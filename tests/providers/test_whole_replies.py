"""Whole replies as events: they fold to the reply again (C31)."""

from megallm.messages.events import (
    BlockStart,
    BlockStop,
    InputJsonDelta,
    MessageDelta,
    MessageStart,
    MessageStop,
    Reply,
    Usage,
)
from megallm.messages.fold import fold
from megallm.providers.whole_replies import events_of


def test_the_events_of_a_whole_reply_fold_to_it() -> None:
    """C31: every kind of block."""
    reply = Reply(
        (
            {"type": "thinking", "thinking": "hm", "signature": "s"},
            {"type": "text", "text": "a"},
            {"type": "tool_use", "id": "t", "name": "f", "input": {"x": [1]}},
        ),
        "tool_use",
        Usage(input_tokens=3, output_tokens=4, cache_read_input_tokens=1, thinking_tokens=2),
    )
    refusal = Reply((), "refusal", Usage(), stop_details={"type": "refusal"})

    assert fold(events_of(reply)) == reply
    assert fold(events_of(refusal)) == refusal


def test_a_native_reply_keeps_what_only_its_upstream_knows() -> None:
    """Fields of the message, blocks that nobody knows, and calls that the upstream made itself."""
    block = {"type": "server_tool_use", "id": "s", "name": "tool_search", "input": {"q": "a"}, "caller": {"x": 1}}
    news = {"type": "news", "text": "n"}
    native = {"id": "msg_1", "container": {"id": "c"}, "stop_details": None}
    usage = Usage(3, 4, native={"service_tier": "standard"})

    events = events_of(Reply((block, news), "end_turn", usage, native=native))

    assert events == [
        MessageStart(Usage(3, 0, native={"service_tier": "standard"}), {"id": "msg_1", "container": {"id": "c"}}),
        BlockStart(0, block | {"input": {}}),
        InputJsonDelta(0, '{"q":"a"}'),
        BlockStop(0),
        BlockStart(1, news),
        BlockStop(1),
        MessageDelta("end_turn", usage),
        MessageStop(),
    ]

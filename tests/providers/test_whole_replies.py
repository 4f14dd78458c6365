"""Whole replies as events: they fold to the reply again (C31)."""

from megallm.messages.events import (
    BlockStart,
    BlockStop,
    InputJsonDelta,
    MessageDelta,
    MessageStart,
    MessageStop,
    Reply,
    TextDelta,
    Usage,
)
from megallm.messages.fold import fold
from megallm.providers.whole_replies import events_of, rest_of


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
    """Fields of the message, at its end; blocks that nobody knows, and calls that the upstream made itself."""
    block = {"type": "server_tool_use", "id": "s", "name": "tool_search", "input": {"q": "a"}, "caller": {"x": 1}}
    news = {"type": "news", "text": "n"}
    native = {"id": "msg_1", "container": {"id": "c"}, "stop_details": None}
    usage = Usage(3, 4, native={"service_tier": "standard"})

    events = events_of(Reply((block, news), "end_turn", usage, native=native))

    assert events == [
        MessageStart(Usage(3, 0, native={"service_tier": "standard"})),
        BlockStart(0, block | {"input": {}}),
        InputJsonDelta(0, '{"q":"a"}'),
        BlockStop(0),
        BlockStart(1, news),
        BlockStop(1),
        MessageDelta("end_turn", usage, native={"container": {"id": "c"}}),
        MessageStop(),
    ]
    assert fold(events).content == (block, news)


def test_the_rest_of_a_reply_repeats_nothing_of_its_beginning() -> None:
    """Neither the blocks that were shown nor what message_start told."""
    thinking, text = {"type": "thinking", "thinking": "hm", "signature": "s"}, {"type": "text", "text": "a"}
    told = {"id": "msg_1", "container": {"id": "c"}, "context_management": None}
    reply = Reply((thinking, text), "end_turn", Usage(3, 4), native=told | {"context_management": {"edits": []}})

    events = rest_of(reply, MessageStart(Usage(3), told), 1)

    assert events == [
        BlockStart(1, {"type": "text", "text": ""}),
        TextDelta(1, "a"),
        BlockStop(1),
        MessageDelta("end_turn", Usage(3, 4), native={"context_management": {"edits": []}}),
        MessageStop(),
    ]

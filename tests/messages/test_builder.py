"""The block builder makes legal events of whatever order an upstream's fragments have."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from megallm.errors import UpstreamFailed
from megallm.messages.builder import BlockBuilder
from megallm.messages.events import (
    BlockStart,
    BlockStop,
    Event,
    InputJsonDelta,
    MessageDelta,
    MessageStart,
    MessageStop,
    Reply,
    SignatureDelta,
    StopReason,
    TextDelta,
    ThinkingDelta,
    Usage,
)
from megallm.messages.fold import fold

USAGE = Usage(input_tokens=5, output_tokens=2)
TEXT = {"type": "text", "text": ""}


def tool(call_id: str, name: str) -> dict[str, object]:
    return {"type": "tool_use", "id": call_id, "name": name, "input": {}}


def end(reason: str = "end_turn") -> list[Event]:
    return [MessageDelta(reason, USAGE), MessageStop()]  # type: ignore[arg-type]  # the tests' own literals


def test_text_pieces_share_one_block() -> None:
    """Text, text: one start, two deltas, one stop."""
    builder = BlockBuilder()

    events = [
        *builder.start(USAGE),
        *builder.text("a"),
        *builder.text(""),
        *builder.text("b"),
        *builder.finish("end_turn", USAGE),
    ]

    assert events == [
        MessageStart(USAGE),
        BlockStart(0, TEXT),
        TextDelta(0, "a"),
        TextDelta(0, "b"),
        BlockStop(0),
        *end(),
    ]


def test_thinking_comes_before_the_text_in_a_block_of_its_own() -> None:
    """Thinking, its signature, then text: two blocks."""
    builder = BlockBuilder()

    events = [*builder.thinking("hm"), *builder.signature("sig"), *builder.text("a"), *builder.signature("late")]

    assert events == [
        BlockStart(0, {"type": "thinking", "thinking": "", "signature": ""}),
        ThinkingDelta(0, "hm"),
        SignatureDelta(0, "sig"),
        BlockStop(0),
        BlockStart(1, TEXT),
        TextDelta(1, "a"),
    ]


def test_interleaved_tool_calls_come_one_after_the_other() -> None:
    """The first call streams; the second waits and comes whole (C26)."""
    builder = BlockBuilder()

    events = [
        *builder.tool_call(0, "t0", "f"),
        *builder.tool_call(1, "t1", "g"),
        *builder.tool_input(0, '{"a"'),
        *builder.tool_input(1, '{"b":'),
        *builder.tool_input(0, ":1}"),
        *builder.tool_input(1, "2}"),
        *builder.finish("tool_use", USAGE),
    ]

    assert events == [
        BlockStart(0, tool("t0", "f")),
        InputJsonDelta(0, '{"a"'),
        InputJsonDelta(0, ":1}"),
        BlockStop(0),
        BlockStart(1, tool("t1", "g")),
        InputJsonDelta(1, '{"b":2}'),
        BlockStop(1),
        *end("tool_use"),
    ]


def test_text_after_a_tool_call_opens_a_new_block() -> None:
    """Text closes the call that is open."""
    builder = BlockBuilder()

    events = [*builder.tool_call("k", "t", "f"), *builder.text("done"), *builder.finish("tool_use", USAGE)]

    assert events == [
        BlockStart(0, tool("t", "f")),
        BlockStop(0),
        BlockStart(1, TEXT),
        TextDelta(1, "done"),
        BlockStop(1),
        *end("tool_use"),
    ]


def test_text_waits_until_the_call_that_is_open_is_whole() -> None:
    """Closing the call would lose the rest of its input; the text comes with the next piece, or at the end."""
    builder = BlockBuilder()

    events = [
        *builder.tool_call("k", "t", "f"),
        *builder.tool_input("k", '{"a":'),
        *builder.text("b"),
        *builder.thinking("c"),
        *builder.tool_input("k", "1}"),
        *builder.text("d"),
        *builder.finish("tool_use", USAGE),
    ]

    assert events == [
        BlockStart(0, tool("t", "f")),
        InputJsonDelta(0, '{"a":'),
        InputJsonDelta(0, "1}"),
        BlockStop(0),
        BlockStart(1, TEXT),
        TextDelta(1, "b"),
        BlockStop(1),
        BlockStart(2, {"type": "thinking", "thinking": "", "signature": ""}),
        ThinkingDelta(2, "c"),
        BlockStop(2),
        BlockStart(3, TEXT),
        TextDelta(3, "d"),
        BlockStop(3),
        *end("tool_use"),
    ]


def test_text_that_waited_comes_at_the_end() -> None:
    """Behind all the calls, those that waited too."""
    builder = BlockBuilder()
    events = [*builder.tool_call(0, "t", "f"), *builder.tool_call(1, "u", "g")]
    events += [
        *builder.tool_input(0, "{}"),
        *builder.tool_input(1, "{"),
        *builder.text("b"),
        *builder.tool_input(1, "}"),
    ]

    events += builder.finish("tool_use", USAGE)

    assert [event.block["type"] for event in events if isinstance(event, BlockStart)] == [
        "tool_use",
        "tool_use",
        "text",
    ]
    assert fold([MessageStart(USAGE), *events]).content[-1] == {"type": "text", "text": "b"}


def test_text_behind_a_call_that_is_never_whole_does_not_excuse_it() -> None:
    """Not even where the reply was cut: it was not the last that came."""
    builder = BlockBuilder()
    builder.tool_call(0, "t", "f")
    builder.tool_input(0, '{"a":')
    builder.text("b")

    with pytest.raises(UpstreamFailed):
        builder.finish("max_tokens", USAGE)


@pytest.mark.parametrize(
    ("arguments", "whole"),
    [
        ("", False),
        ("{", False),
        ("{} ", True),
        ("[{}", False),
        ("}", False),
        ('{"a": 1}', True),
        ("[{}]", False),
        (" ", False),
    ],
)
def test_a_call_is_whole_once_its_input_is_a_json_object(arguments: str, whole: bool) -> None:
    """So that the beginning of another can be told from its continuation."""
    builder = BlockBuilder()
    builder.tool_call(0, "t", "f")
    for letter in arguments:
        builder.tool_input(0, letter)

    assert builder.call_is_whole(0) is whole


def test_the_builder_signs_thinking_that_has_ended() -> None:
    """Each block by itself, where there is a signer (C15)."""
    builder = BlockBuilder(sign=lambda thinking: f"signed {thinking}")

    events = [*builder.thinking("a"), *builder.thinking("b"), *builder.text("x"), *builder.thinking("c")]
    reply = fold([*events, *builder.finish("end_turn", USAGE)])

    assert reply.content == (
        {"type": "thinking", "thinking": "ab", "signature": "signed ab"},
        {"type": "text", "text": "x"},
        {"type": "thinking", "thinking": "c", "signature": "signed c"},
    )


def test_a_call_told_twice_is_one_call() -> None:
    """Some upstreams repeat id and name in every chunk."""
    builder = BlockBuilder()

    events = [*builder.tool_call(0, "t", "f"), *builder.tool_call(0, "t", "f")]

    assert events == [BlockStart(0, tool("t", "f"))]


@pytest.mark.parametrize("arguments", ["{", "[]", '"text"', "{} {}", "null"])
def test_arguments_that_are_no_json_object_are_an_error(arguments: str) -> None:
    """Malformed tool JSON is told, not passed on as a block (C22)."""
    builder = BlockBuilder()
    builder.tool_call(0, "t", "f")
    builder.tool_input(0, arguments)

    with pytest.raises(UpstreamFailed):
        builder.finish("tool_use", USAGE)


@pytest.mark.parametrize("reason", ["max_tokens", "model_context_window_exceeded", "refusal"])
def test_arguments_of_a_reply_that_was_cut_end_as_they_are(reason: StopReason) -> None:
    """The stop_reason tells the client that the input is not whole."""
    builder = BlockBuilder()
    events = [*builder.tool_call(0, "t", "f"), *builder.tool_input(0, '{"city": "Paris", "unit": "cel')]

    events += builder.finish(reason, USAGE)

    assert fold(events) == Reply(
        ({"type": "tool_use", "id": "t", "name": "f", "input": {"city": "Paris"}},), reason, USAGE
    )


@pytest.mark.parametrize("arguments", ["not json", "nul", "[1, 2", '"text'])
def test_a_cut_does_not_excuse_what_could_never_be_an_object(arguments: str) -> None:
    """Streamed and unstreamed agree: both are an error (C31)."""
    builder = BlockBuilder()
    builder.tool_call(0, "t", "f")
    builder.tool_input(0, arguments)

    with pytest.raises(UpstreamFailed):
        builder.finish("max_tokens", USAGE)


def test_an_earlier_call_must_be_whole_even_when_the_reply_was_cut() -> None:
    """max_tokens can cut only what was last."""
    builder = BlockBuilder()
    builder.tool_call(0, "t0", "f")
    builder.tool_input(0, '{"a":')
    builder.tool_call(1, "t1", "g")

    with pytest.raises(UpstreamFailed):
        builder.finish("max_tokens", USAGE)


def test_empty_arguments_are_an_empty_object() -> None:
    """A tool without parameters gets no JSON from some upstreams (C22)."""
    builder = BlockBuilder()

    events = [*builder.tool_call(0, "t", "f"), *builder.tool_input(0, ""), *builder.finish("tool_use", USAGE)]

    assert fold(events).content == ({"type": "tool_use", "id": "t", "name": "f", "input": {}},)


@pytest.mark.parametrize("begun", [True, False])
def test_arguments_of_a_call_that_is_not_open_are_an_error(begun: bool) -> None:
    """They belong to nothing: before the call began, and after text has closed it."""
    builder = BlockBuilder()
    if begun:
        builder.tool_call(0, "t", "f")
        builder.text("x")

    with pytest.raises(UpstreamFailed):
        builder.tool_input(0, "{}")


FRAGMENTS = st.lists(
    st.one_of(
        st.tuples(st.just("text"), st.text(max_size=3)),
        st.tuples(st.just("thinking"), st.text(max_size=3)),
        st.tuples(st.just("signature"), st.text(max_size=3)),
        st.tuples(st.just("call"), st.integers(0, 3)),
    ),
    max_size=20,
)


def build(fragments: list[tuple[str, object]]) -> list[Event]:
    builder = BlockBuilder()
    events = builder.start(USAGE)
    for kind, value in fragments:
        match kind, value:
            case "text", str():
                events += builder.text(value)
            case "thinking", str():
                events += builder.thinking(value)
            case "signature", str():
                events += builder.signature(value)
            case _:
                events += builder.tool_call(value, f"t{value}", "f")
    return events + builder.finish("end_turn", USAGE)


@given(FRAGMENTS)
def test_every_order_of_fragments_makes_a_legal_stream(fragments: list[tuple[str, object]]) -> None:
    """Indices run from 0 without a gap, one block is open at a time, no delta stands outside one (C25)."""
    events = build(fragments)

    open_index: int | None = None
    next_index = 0
    for event in events[1:-2]:
        match event:
            case BlockStart():
                assert (open_index, event.index) == (None, next_index)
                open_index, next_index = event.index, next_index + 1
            case BlockStop():
                assert event.index == open_index
                open_index = None
            case TextDelta() | ThinkingDelta() | SignatureDelta() | InputJsonDelta():
                assert event.index == open_index
            case _:
                pytest.fail(f"{event} stands between the blocks")
    assert open_index is None
    assert (events[0], events[-2:]) == (MessageStart(USAGE), end())


@given(FRAGMENTS)
def test_no_text_is_lost_or_moved(fragments: list[tuple[str, object]]) -> None:
    """All text, in order, is the text of the folded reply."""
    reply = fold(build(fragments))

    assert "".join(str(block["text"]) for block in reply.content if block["type"] == "text") == "".join(
        str(value) for kind, value in fragments if kind == "text"
    )

"""Tool calls in a stream, told apart however the server marks them (contract C20, C22, C26)."""

from dataclasses import replace

import pytest

from megallm.errors import UpstreamFailed
from megallm.messages.events import BlockStart, BlockStop, InputJsonDelta, JsonObject, TextDelta
from tests.providers.openai.transcripts_chunks import Json, blocks, chunk, error, reply, text, tool, tool_entry
from tests.providers.openai.transcripts_playing import expected

END = chunk({}, "tool_calls")


def entries(*calls: Json) -> Json:
    """One chunk with several pieces."""
    return chunk({"tool_calls": list(calls)})


def use(call_id: str, name: str, **arguments: object) -> JsonObject:
    return {"type": "tool_use", "id": call_id, "name": name, "input": arguments}


def start(index: int, call_id: str, name: str) -> BlockStart:
    return BlockStart(index, {"type": "tool_use", "id": call_id, "name": name, "input": {}})


def test_the_first_call_streams_and_the_others_come_whole() -> None:
    """Interleaved by index, as OpenAI may send them (C26)."""
    assert blocks(
        tool(index=0, call_id="a", name="f"),
        tool(index=1, call_id="b", name="g"),
        tool('{"x"', index=0),
        tool('{"y":', index=1),
        tool(":1}", index=0),
        tool("2}", index=1),
        END,
    ) == [
        start(0, "a", "f"),
        InputJsonDelta(0, '{"x"'),
        InputJsonDelta(0, ":1}"),
        BlockStop(0),
        start(1, "b", "g"),
        InputJsonDelta(1, '{"y":2}'),
        BlockStop(1),
    ]


F1, F2, G2 = use("a", "f", x=1), use("b", "f", x=2), use("b", "g", x=2)


@pytest.mark.parametrize(
    ("chunks", "calls"),
    [
        # Several whole calls in one chunk: numbered, without an index, all of index 0.
        (
            [
                entries(
                    tool_entry('{"x":1}', index=0, call_id="a", name="f"),
                    tool_entry('{"x":2}', index=1, call_id="b", name="g"),
                )
            ],
            [F1, G2],
        ),
        (
            [entries(tool_entry('{"x":1}', call_id="a", name="f"), tool_entry('{"x":2}', call_id="b", name="f"))],
            [F1, F2],
        ),
        (
            [
                entries(
                    tool_entry('{"x":1}', index=0, call_id="a", name="f"),
                    tool_entry('{"x":2}', index=0, call_id="b", name="f"),
                )
            ],
            [F1, F2],
        ),
        # The same without ids.
        (
            [entries(tool_entry('{"x":1}', name="f"), tool_entry('{"x":2}', name="f"))],
            [use("toolu_1", "f", x=1), use("toolu_2", "f", x=2)],
        ),
        ([entries(tool_entry(name="f"), tool_entry(name="f"))], [use("toolu_1", "f"), use("toolu_2", "f")]),
        # All of index 0, one after the other, with different ids.
        ([tool('{"x":1}', index=0, call_id="a", name="f"), tool('{"x":2}', index=0, call_id="b", name="f")], [F1, F2]),
        (
            [
                tool(index=0, call_id="a", name="f"),
                tool('{"x":1}', index=0, call_id=""),
                tool(index=0, call_id="b", name="g"),
                tool('{"x":', index=0),
                tool("2}", index=0),
            ],
            [F1, G2],
        ),
        # All of index 0, interleaved, told apart by their ids alone.
        (
            [
                tool(index=0, call_id="a", name="f"),
                tool(index=0, call_id="b", name="g"),
                tool('{"x":', index=0, call_id="a"),
                tool('{"x":', index=0, call_id="b"),
                tool("1}", index=0, call_id="a"),
                tool("2}", index=0, call_id="b"),
            ],
            [F1, G2],
        ),
        # No index; pieces without an id belong to the last call.
        (
            [tool('{"x":', call_id="a", name="f"), tool("1}"), tool('{"x":', call_id="b", name="g"), tool("2}")],
            [F1, G2],
        ),
        # Without ids, whole calls one after the other.
        (
            [tool('{"x":1}', index=0, name="f"), tool('{"x":2}', index=0, name="f")],
            [use("toolu_1", "f", x=1), use("toolu_2", "f", x=2)],
        ),
        ([tool('{"x":1}', name="f"), tool(name="g")], [use("toolu_1", "f", x=1), use("toolu_2", "g")]),
        # The name is repeated: in pieces of the same call, the last of which may be empty or white space.
        (
            [
                tool("{", index=0, name="f"),
                tool('"x":', index=0, name="f"),
                tool("1}", index=0, name="f"),
                tool(index=0, name="f"),
                tool("\n", index=0, name="f"),
            ],
            [use("toolu_1", "f", x=1)],
        ),
        ([tool("{", index=0, call_id="a", name="f"), tool('"x":1}', index=0, call_id="a", name="f")], [F1]),
        # One id for all of them.
        (
            [tool('{"x":1}', index=0, call_id="a", name="f"), tool('{"x":2}', index=1, call_id="a", name="f")],
            [F1, use("toolu_1", "f", x=2)],
        ),
        (
            [tool('{"x":1}', index=0, call_id="a", name="f"), tool('{"x":2}', index=0, call_id="a", name="f")],
            [F1, use("toolu_1", "f", x=2)],
        ),
        # Name and arguments in one chunk, arguments only in the last, none at all, as an object, before the name.
        ([tool(index=0, call_id="a", name="f"), chunk({}), tool('{"x":1}', index=0)], [F1]),
        ([tool(index=0, call_id="a", name="f")], [use("a", "f")]),
        ([tool({"x": 1}, index=0, call_id="a", name="f")], [F1]),
        ([tool('{"x":', index=0, call_id="a"), tool("1}", index=0, name="f")], [F1]),
        # An id that comes late, but before the arguments, or with them; with the name again.
        ([tool(index=0, name="f"), tool('{"x":1}', index=0, call_id="a")], [F1]),
        ([tool(index=0, name="f"), tool(index=0, call_id="a"), tool('{"x":1}', index=0)], [F1]),
        ([tool(index=0, name="f"), tool('{"x":1}', index=0, call_id="a", name="f")], [F1]),
        ([tool(index=0, name="f"), tool('{"x":2}', index=0, call_id="b", name="g")], [use("toolu_1", "f"), G2]),
        # One that comes later still has been replaced, as where another call has begun.
        ([tool('{"x":', index=0, name="f"), tool("1}", index=0, call_id="a")], [use("toolu_1", "f", x=1)]),
        (
            [tool(index=0, name="f"), tool('{"x":2}', index=1, call_id="b", name="g"), tool('{"x":1}', index=0)],
            [use("toolu_1", "f", x=1), G2],
        ),
        # The name is repeated, and only then are there arguments.
        ([tool(index=0, name="f"), tool('{"x":1}', index=0, name="f")], [use("toolu_1", "f", x=1)]),
        # The old way.
        (
            [
                chunk({"function_call": {"name": "f", "arguments": ""}}),
                chunk({"function_call": {"arguments": '{"x":1}'}}),
            ],
            [use("toolu_1", "f", x=1)],
        ),
        # Nothing.
        ([entries({}), chunk({"tool_calls": None, "function_call": None})], []),
    ],
)
def test_calls_are_told_apart(chunks: list[Json], calls: list[JsonObject]) -> None:
    """Each way that a server is known to mark them, and their mixtures."""
    assert list(reply(*chunks, END).content) == calls


def test_names_are_those_that_the_client_knows() -> None:
    """Shortened ones are mapped back; a name that was not sent passes (C20)."""
    reading = replace(expected(), tool_names={"short": "a name of many letters"})

    said = reply(tool(call_id="a", name="short"), tool(call_id="b", name="unknown"), END, reading=reading)

    assert list(said.content) == [use("a", "a name of many letters"), use("b", "unknown")]


def test_calls_pass_where_the_request_allowed_none() -> None:
    """Nothing that the model said is lost: the client sees that it was not obeyed. Reading knows no tool_choice."""
    said = reply(tool(call_id="a", name="f"), END)

    assert (list(said.content), said.stop_reason) == ([use("a", "f")], "tool_use")


def test_text_after_a_call_opens_a_new_block() -> None:
    """And a call after it another one (C26)."""
    assert blocks(tool("{}", call_id="a", name="f"), text("x"), tool("{}", call_id="b", name="f"), END) == [
        start(0, "a", "f"),
        InputJsonDelta(0, "{}"),
        BlockStop(0),
        BlockStart(1, {"type": "text", "text": ""}),
        TextDelta(1, "x"),
        BlockStop(1),
        start(2, "b", "f"),
        InputJsonDelta(2, "{}"),
        BlockStop(2),
    ]


def test_a_call_waits_for_its_id_and_nothing_else_does() -> None:
    """What comes until then is shown; a call that has waited in vain ends the reply."""
    assert blocks(tool(name="f"), text("x"), chunk({}, "stop")) == [
        BlockStart(0, {"type": "text", "text": ""}),
        TextDelta(0, "x"),
        BlockStop(0),
        start(1, "toolu_1", "f"),
        BlockStop(1),
    ]


def test_a_call_that_waits_behind_a_stop_sequence_is_cut_with_the_text() -> None:
    """As in a whole reply (C12, C31)."""
    said = reply(tool(name="f"), text("x END y"), END, reading=expected("END"))

    assert (list(said.content), said.stop_reason) == ([{"type": "text", "text": "x "}], "stop_sequence")


def test_a_call_that_has_waited_for_its_id_makes_the_reply_end_in_tool_use() -> None:
    """It is a call like any other."""
    assert reply(tool(name="f"), chunk({}, "stop")).stop_reason == "tool_use"


def test_text_in_the_middle_of_a_call_comes_after_it() -> None:
    """One block is open at a time, and nothing is lost."""
    said = reply(tool('{"x":', index=0, call_id="a", name="f"), text("b"), tool("1}", index=0), text("c"), END)

    assert list(said.content) == [F1, {"type": "text", "text": "bc"}]


@pytest.mark.parametrize("arguments", ['{"x":', "[]", '{"x":1}{"x":2}', "x"])
def test_arguments_that_are_no_json_object_are_an_error(arguments: str) -> None:
    """C22."""
    assert error(tool(arguments, index=0, call_id="a", name="f"), END) is UpstreamFailed


def test_a_call_without_a_name_is_an_error() -> None:
    """Nobody could run it."""
    assert error(tool("{}", index=0, call_id="a"), END) is UpstreamFailed


def test_a_call_that_was_cut_before_its_name_is_none() -> None:
    """max_tokens came in between."""
    said = reply(text("x"), tool(index=0, call_id="a"), chunk({}, "length"))

    assert (list(said.content), said.stop_reason) == ([{"type": "text", "text": "x"}], "max_tokens")


def test_a_call_that_was_cut_stays_as_far_as_it_came() -> None:
    """As Anthropic's does."""
    said = reply(tool('{"x":1,"y', index=0, call_id="a", name="f"), chunk({}, "length"))

    assert (list(said.content), said.stop_reason) == ([F1], "max_tokens")

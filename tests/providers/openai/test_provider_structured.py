"""Replies that must follow a schema, against a real HTTP server: judged, repaired, refused (C24)."""

from contextlib import aclosing
from typing import Any

import pytest

from megallm.errors import UnfitReply
from megallm.messages.events import (
    BlockStart,
    BlockStop,
    MessageDelta,
    MessageStop,
    Reply,
    TextDelta,
    Usage,
)
from megallm.messages.fold import fold

from .asking import FORMAT, WEATHER, call_of
from .chat_server import (
    SPENT,
    STREAM_HEAD,
    Upstream,
    broken,
    chunks,
    completion,
    create,
    failing,
    plays,
    run,
    stream,
    streamed,
)

GOOD, BAD = '{"city":"Paris"}', '{"city":7}'
TWICE = Usage(input_tokens=14, output_tokens=6)


@pytest.mark.parametrize("table", ["openai", "deepseek", None])
def test_a_reply_that_follows_its_schema_is_given_as_it_is(table: str | None) -> None:
    """C24: one call, in both ways."""

    async def whole(there: Upstream) -> None:
        assert (await create(there, output_config=FORMAT, table=table)).content == ({"type": "text", "text": GOOD},)
        assert len(there.bodies) == 1

    async def as_stream(there: Upstream) -> None:
        reply = fold(await stream(there, output_config=FORMAT, table=table))
        assert (reply.content, reply.usage) == (({"type": "text", "text": GOOD},), SPENT)

    run(whole, plays(completion(GOOD)))
    run(as_stream, plays(streamed(GOOD[:5], GOOD[5:])))


def test_an_enforced_schema_streams_as_it_comes() -> None:
    """The server lets nothing else through."""

    async def test(there: Upstream) -> None:
        texts = [event.text for event in await stream(there, output_config=FORMAT) if isinstance(event, TextDelta)]
        assert texts == [GOOD[:5], GOOD[5:]]

    run(test, plays(streamed(GOOD[:5], GOOD[5:])))


def test_json_comes_out_of_its_fence() -> None:
    """Where the server only tries."""

    async def whole(there: Upstream) -> None:
        reply = await create(there, output_config=FORMAT, table=None)
        assert reply == Reply(({"type": "text", "text": GOOD},), "end_turn", SPENT)

    async def as_stream(there: Upstream) -> None:
        assert fold(await stream(there, output_config=FORMAT, table=None)) == Reply(
            ({"type": "text", "text": GOOD},), "end_turn", SPENT
        )

    run(whole, plays(completion(f"```json\n{GOOD}\n```")))
    run(as_stream, plays(streamed("```json\n", GOOD, "\n```")))


@pytest.mark.parametrize("streaming", [False, True])
def test_a_reply_that_does_not_follow_its_schema_is_asked_for_once_more(streaming: bool) -> None:
    """C24: the client sees one reply, and the tokens of both."""

    async def test(there: Upstream) -> None:
        fields: dict[str, Any] = {"output_config": FORMAT, "table": "deepseek"}
        prepared = await there.provider.prepare(call_of(**fields))
        if streaming:
            async with aclosing(prepared.stream()) as stream:
                reply = fold([event async for event in stream])
        else:
            reply = await prepared.create()

        assert reply == Reply(({"type": "text", "text": GOOD},), "end_turn", TWICE)
        assert prepared.usage == TWICE
        first, second = there.bodies
        assert second == first | {
            "messages": [
                *first["messages"],  # type: ignore[misc]  # JSON that is known
                {"role": "assistant", "content": BAD},
                {
                    "role": "user",
                    "content": "This does not follow the JSON Schema: ['city']: 7 is not of type \"string\"\n"
                    "Answer again: the right JSON and nothing else.",
                },
            ]
        }

    run(test, plays(streamed(BAD), streamed(GOOD)) if streaming else plays(completion(BAD), completion(GOOD)))


@pytest.mark.parametrize("streaming", [False, True])
def test_a_second_reply_that_does_not_follow_it_either_is_an_error(streaming: bool) -> None:
    """C24, C28: no reply that its client could not read."""

    async def test(there: Upstream) -> None:
        ask = stream if streaming else create
        error = await failing(ask(there, output_config=FORMAT, table="deepseek"))
        assert (type(error), error.message) == (
            UnfitReply,
            "The model's reply does not follow the schema of output_config.format",
        )
        assert len(there.bodies) == 2

    run(test, plays(streamed(BAD), streamed(BAD)) if streaming else plays(completion(BAD), completion(BAD)))


def test_an_enforced_schema_that_is_not_followed_is_an_error_in_place_of_the_end() -> None:
    """What streamed already cannot be taken back."""

    async def test(there: Upstream) -> None:
        prepared = await there.provider.prepare(call_of(output_config=FORMAT))
        events, error = await broken(prepared)

        assert error.message == "The model's reply does not follow the schema of output_config.format"
        assert events[1:] == [BlockStart(0, {"type": "text", "text": ""}), TextDelta(0, BAD), BlockStop(0)]

    run(test, plays(streamed(BAD)))


@pytest.mark.parametrize(("finish_reason", "stop_reason"), [("length", "max_tokens"), ("content_filter", "refusal")])
@pytest.mark.parametrize("table", ["openai", "deepseek"])
def test_a_reply_that_was_cut_or_refused_is_not_judged(finish_reason: str, stop_reason: str, table: str) -> None:
    """Its stop_reason says all."""

    async def whole(there: Upstream) -> None:
        reply = await create(there, output_config=FORMAT, table=table)
        assert (reply.content, reply.stop_reason) == (({"type": "text", "text": '{"ci'},), stop_reason)

    async def as_stream(there: Upstream) -> None:
        events = await stream(there, output_config=FORMAT, table=table)
        assert isinstance(events[-2], MessageDelta)
        assert (events[-2].stop_reason, events[-1]) == (stop_reason, MessageStop())

    run(whole, plays(completion('{"ci', finish_reason=finish_reason)))
    run(as_stream, plays(STREAM_HEAD + chunks('{"ci', finish_reason=finish_reason)))


def test_a_repair_that_is_cut_is_given_as_it_is() -> None:
    """With its stop_reason, and the thinking of its own."""

    async def test(there: Upstream) -> None:
        reply = await create(there, output_config=FORMAT, table="deepseek")
        assert reply == Reply(({"type": "text", "text": '{"ci'},), "max_tokens", TWICE)

    run(test, plays(completion(BAD), completion('{"ci', finish_reason="length")))


def test_a_tool_call_is_no_reply_to_be_judged() -> None:
    """The format is that of the answer."""
    call = {"id": "call_1", "type": "function", "function": {"name": "get_weather", "arguments": "{}"}}

    async def test(there: Upstream) -> None:
        reply = await create(there, tools=[WEATHER], output_config=FORMAT, table="deepseek")
        assert reply.stop_reason == "tool_use"

    run(test, plays(completion(None, finish_reason="tool_calls", tool_calls=[call])))


def test_thinking_stays_before_the_json() -> None:
    """Only the text is the value."""

    async def test(there: Upstream) -> None:
        reply = await create(there, output_config=FORMAT, table="deepseek")
        assert [block["type"] for block in reply.content] == ["thinking", "text"]
        assert reply.content[1]["text"] == GOOD

    run(test, plays(completion(f" {GOOD}", reasoning_content="hm")))


def test_a_schema_of_enumerations_is_judged() -> None:
    """C45."""

    async def test(there: Upstream) -> None:
        fields: dict[str, Any] = {
            "output_config": {"format": {"type": "json_schema", "schema": {"enum": ["a"]}}},
            "table": None,
        }
        assert (await create(there, **fields)).content == ({"type": "text", "text": '"a"'},)

    run(test, plays(completion('"b"'), completion('"a"')))

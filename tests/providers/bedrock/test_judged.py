"""Replies that must follow a schema which Bedrock does not hold the model to: judged, repaired, refused (C24)."""

import asyncio
from collections.abc import AsyncGenerator, Callable, Iterable, Mapping
from contextlib import aclosing

import pytest
from pydantic_core import from_json, to_json

from megallm.errors import GatewayError, RateLimited, UpstreamFailed
from megallm.messages.calls import Call
from megallm.messages.events import Event, MessageStart, Relayed, Reply, StreamEvent, Usage
from megallm.messages.fold import fold
from megallm.messages.requests import MessagesRequest
from megallm.providers.bedrock.converse.tools import OUTPUT_TOOL
from megallm.providers.judging import UNFIT

from .asking import call_of
from .fake_bedrock import Answer, FakeBedrock, Hold, Received, bedrock, refusal, within
from .frames import converse_frames

SCHEMA = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
GOOD, BAD = {"city": "Paris"}, {"city": 7}
COMPLAINT = (
    "This does not follow the JSON Schema: ['city']: 7 is not of type \"string\"\n"
    "Answer again: the right JSON and nothing else."
)
TEXT = ({"type": "text", "text": '{"city":"Paris"}'},)


def claude(**more: object) -> Call[MessagesRequest]:
    """By InvokeModel, told in words."""
    wanted = {"format": {"type": "json_schema", "schema": SCHEMA}}
    return call_of("Where?", table="bedrock", output_config=wanted, **more)  # type: ignore[arg-type]  # of any type


def nova(**more: object) -> Call[MessagesRequest]:
    """By Converse, as the input of a tool."""
    wanted = {"format": {"type": "json_schema", "schema": SCHEMA}}
    takes = {"fields": {"tool_choice.tool": "pass"}}
    return call_of("Where?", takes=takes, output_config=wanted, **more)  # type: ignore[arg-type]  # of any type


def said(received: Received, value: object, reason: str = "end_turn", words: str | None = None) -> Answer:
    """A reply with this value, in the way in which it was asked for; or with these words in its place."""
    match received.path.rpartition("/")[2]:
        case "invoke":
            message = {
                "id": "msg_bdrk_1",
                "type": "message",
                "role": "assistant",
                "content": [{"type": "text", "text": words or f"```json\n{to_json(value).decode()}\n```"}],
                "stop_reason": reason,
                "usage": {"input_tokens": 9, "output_tokens": 2},
                "context_management": {"applied_edits": []},
            }
            return Answer([to_json(message)])
        case "converse":
            call = {"toolUse": {"toolUseId": "t1", "name": OUTPUT_TOOL, "input": value}}
            return Answer(
                [
                    to_json(
                        {
                            "output": {
                                "message": {"role": "assistant", "content": [{"text": words} if words else call]}
                            },
                            "stopReason": reason,
                            "usage": {"inputTokens": 9, "outputTokens": 2},
                        }
                    )
                ]
            )
        case _:
            return Answer([streamed(value, reason, words)])


def streamed(value: object, reason: str = "end_turn", words: str | None = None) -> bytes:
    """The same as ConverseStream's events."""
    start = {"toolUse": {"toolUseId": "t1", "name": OUTPUT_TOOL}}
    called: list[tuple[str, Mapping[str, object]]] = [
        ("contentBlockStart", {"contentBlockIndex": 0, "start": start}),
        ("contentBlockDelta", {"contentBlockIndex": 0, "delta": {"toolUse": {"input": to_json(value).decode()}}}),
    ]
    if words:
        called = [("contentBlockDelta", {"contentBlockIndex": 0, "delta": {"text": words}})]
    return converse_frames(
        [
            ("messageStart", {"role": "assistant"}),
            *called,
            ("contentBlockStop", {"contentBlockIndex": 0}),
            ("messageStop", {"stopReason": reason}),
            ("metadata", {"usage": {"inputTokens": 9, "outputTokens": 2}}),
        ]
    )


async def events_only(events: AsyncGenerator[StreamEvent, None]) -> list[Event]:
    """All of them; none is an unread frame."""
    async with aclosing(events):
        found = [event async for event in events]
    return [event for event in found if not isinstance(event, Relayed)]


Outcome = tuple[Reply | GatewayError, Usage | None, list[dict[str, object]]]
MAKES = pytest.mark.parametrize("make", [claude, nova])
WAYS = pytest.mark.parametrize("streaming", [False, True])


def ask(call: Call[MessagesRequest], streaming: bool, answers: Iterable[Callable[[Received], Answer]]) -> Outcome:
    """What comes of a call that is answered so, the usage at its end, and what was asked."""
    coming = iter(answers)

    async def main() -> Outcome:
        async with bedrock(lambda received: next(coming)(received)) as (server, provider):
            prepared = await provider.prepare(call)
            outcome: Reply | GatewayError
            try:
                outcome = fold(await events_only(prepared.stream())) if streaming else await prepared.create()
            except GatewayError as error:
                outcome = error
            return outcome, prepared.usage, [from_json(received.body) for received in server.received]

    return asyncio.run(main())


def value(of: object, **more: str) -> Callable[[Received], Answer]:
    """An answer with this value."""
    return lambda received: said(received, of, **more)


def seen(outcome: Reply | GatewayError) -> tuple[object, object, int, int]:
    """What a client sees of a reply."""
    assert isinstance(outcome, Reply)
    return outcome.content, outcome.stop_reason, outcome.usage.input_tokens, outcome.usage.output_tokens


@MAKES
@WAYS
def test_a_reply_that_follows_its_schema_is_given(make: Callable[[], Call[MessagesRequest]], streaming: bool) -> None:
    """Without its fence; one call."""
    outcome, usage, asked = ask(make(), streaming, [value(GOOD)])

    assert seen(outcome) == (TEXT, "end_turn", 9, 2)
    assert usage is not None
    assert (usage.input_tokens, usage.output_tokens, len(asked)) == (9, 2, 1)


@MAKES
@WAYS
def test_a_reply_that_does_not_is_asked_for_once_more(
    make: Callable[[], Call[MessagesRequest]], streaming: bool
) -> None:
    """The client sees one reply, and the tokens of both."""
    outcome, usage, (first, second) = ask(make(), streaming, [value(BAD), value(GOOD)])

    assert seen(outcome) == (TEXT, "end_turn", 18, 4)
    assert usage == Usage(18, 4)
    shown, complaint = ('```json\n{"city":7}\n```', COMPLAINT)
    added: list[object] = [{"role": "assistant", "content": shown}, {"role": "user", "content": complaint}]
    if make is nova:
        added = [
            {"role": "assistant", "content": [{"text": '{"city":7}'}]},
            {"role": "user", "content": [{"text": COMPLAINT}]},
        ]
    assert second == first | {"messages": [*first["messages"], *added]}  # type: ignore[misc]  # a list


@MAKES
@WAYS
def test_a_second_reply_that_does_not_follow_it_either_is_an_error(
    make: Callable[[], Call[MessagesRequest]], streaming: bool
) -> None:
    """No reply that its client could not read; what was used is known."""
    outcome, usage, asked = ask(make(), streaming, [value(BAD), value(BAD)])

    assert isinstance(outcome, UpstreamFailed)
    assert (outcome.message, usage, len(asked)) == (UNFIT, Usage(18, 4), 2)


@MAKES
@WAYS
def test_a_repair_that_is_refused_is_the_refusal(make: Callable[[], Call[MessagesRequest]], streaming: bool) -> None:
    """The first reply's tokens stay spent."""
    outcome, usage, _ = ask(make(), streaming, [value(BAD), lambda _: refusal("ThrottlingException", 429, "slow")])

    assert isinstance(outcome, RateLimited)
    assert usage is not None
    assert (usage.input_tokens, usage.output_tokens) == (9, 2)


@MAKES
@WAYS
def test_a_reply_that_was_cut_is_given_as_it_is(make: Callable[[], Call[MessagesRequest]], streaming: bool) -> None:
    """Its stop_reason says all."""
    outcome, _, asked = ask(make(), streaming, [value(None, reason="max_tokens", words='{"ci')])

    assert (seen(outcome), len(asked)) == ((({"type": "text", "text": '{"ci'},), "max_tokens", 9, 2), 1)


def test_several_stop_sequences_are_matched_in_both_answers() -> None:
    """Such calls are streamed, since only a stream can be ended."""
    outcome, usage, _ = ask(nova(stop_sequences=["A", "B"]), False, [value(BAD), value(GOOD)])

    assert (seen(outcome), usage) == ((TEXT, "end_turn", 18, 4), Usage(18, 4))


def test_a_native_message_keeps_its_own_fields() -> None:
    """In message_start, where it is streamed."""

    async def main() -> object:
        async with bedrock(lambda received: said(received, GOOD)) as (_, provider):
            first = (await events_only((await provider.prepare(claude())).stream()))[0]
            assert isinstance(first, MessageStart)
            return (first.native or {})["context_management"]

    assert asyncio.run(main()) == {"applied_edits": []}


def test_a_stop_sequence_that_came_with_another_reason_is_told() -> None:
    """C12, in a whole reply too."""
    message = {
        "type": "message",
        "content": [{"type": "text", "text": "one"}],
        "stop_reason": "end_turn",
        "stop_sequence": "END",
    }
    call = call_of("Hi", table="bedrock", stop_sequences=["END"])

    outcome, _, _ = ask(call, False, [lambda _: Answer([to_json(message)])])

    assert isinstance(outcome, Reply)
    assert (outcome.stop_reason, outcome.stop_sequence) == ("stop_sequence", "END")


def test_a_held_stream_begins_before_it_is_judged() -> None:
    """With message_start alone; leaving then ends the upstream call (C30)."""
    hold = Hold()

    async def main() -> Usage | None:
        async with bedrock(lambda _: Answer([streamed(GOOD)[:300], hold])) as (_, provider):
            prepared = await provider.prepare(nova())
            events = prepared.stream()
            assert isinstance(await anext(events), MessageStart)
            await within(hold.reached.wait())
            await events.aclose()
            await within(hold.left.wait())
            return prepared.usage

    usage = asyncio.run(main())
    assert usage is not None
    assert usage.input_tokens > 0


@MAKES
@WAYS
@pytest.mark.parametrize("repairing", [False, True])
def test_a_client_that_goes_away_closes_either_upstream_call(
    make: Callable[[], Call[MessagesRequest]], streaming: bool, repairing: bool
) -> None:
    """At once; a first reply stays spent (C30)."""
    hold = Hold()

    def respond(received: Received, server: list[FakeBedrock]) -> Answer:
        return said(received, BAD) if repairing and len(server[0].received) == 1 else Answer([hold])

    async def main() -> Usage | None:
        servers: list[FakeBedrock] = []
        async with bedrock(lambda received: respond(received, servers)) as (server, provider):
            servers.append(server)
            prepared = await provider.prepare(make())
            task = asyncio.ensure_future(events_only(prepared.stream()) if streaming else prepared.create())
            await within(hold.reached.wait())
            task.cancel()
            await asyncio.wait([task])
            await within(hold.left.wait())
            return prepared.usage

    usage = asyncio.run(main())

    if repairing:
        assert usage is not None
        assert usage.output_tokens == 2


@MAKES
def test_a_call_may_be_tried_again(make: Callable[[], Call[MessagesRequest]]) -> None:
    """What an attempt before it used is not counted twice."""
    answers = iter([value(BAD), value(BAD), value(GOOD), value(GOOD)])

    async def main() -> list[tuple[int, int]]:
        async with bedrock(lambda received: next(answers)(received)) as (_, provider):
            prepared = await provider.prepare(make())
            with pytest.raises(UpstreamFailed):
                await prepared.create()
            streamed_reply = fold(await events_only(prepared.stream()))
            created = await prepared.create()
            return [(reply.usage.input_tokens, reply.usage.output_tokens) for reply in (streamed_reply, created)]

    assert asyncio.run(main()) == [(9, 2), (9, 2)]

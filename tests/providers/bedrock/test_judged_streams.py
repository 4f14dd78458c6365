"""How replies that are judged stream, end early, and are asked for again."""

import asyncio
from collections.abc import Callable, Mapping

import pytest
from pydantic_core import to_json

from megallm.errors import UpstreamFailed
from megallm.messages.calls import Call
from megallm.messages.events import (
    BlockStart,
    MessageDelta,
    MessageStart,
    Reply,
    StreamEvent,
    ThinkingDelta,
    Usage,
)
from megallm.messages.fold import fold
from megallm.messages.requests import MessagesRequest

from .asking import call_of
from .fake_bedrock import Answer, FakeBedrock, Hold, Received, bedrock, within
from .frames import invoke_frames
from .judging import BAD, GOOD, MAKES, WAYS, ask, claude, events_only, nova, relayed, said, streamed, value


def test_a_native_message_keeps_its_own_fields() -> None:
    """In message_delta, where they came; whether it is the first reply or the second."""

    async def ends(*values: object) -> list[object]:
        coming = iter(values)
        async with bedrock(lambda received: said(received, next(coming))) as (_, provider):
            events = await events_only((await provider.prepare(claude())).stream())
            return [(event.native or {})["context_management"] for event in events if isinstance(event, MessageDelta)]

    assert asyncio.run(ends(GOOD)) == asyncio.run(ends(BAD, GOOD)) == [{"applied_edits": []}]


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


@pytest.mark.parametrize(("make", "sent"), [(claude, relayed('{"city":"Paris"}')), (nova, streamed(GOOD))])
def test_a_held_stream_begins_before_it_is_judged(make: Callable[[], Call[MessagesRequest]], sent: bytes) -> None:
    """With message_start alone, as soon as that is there; leaving then ends the upstream call (C30)."""
    hold = Hold()

    async def main() -> Usage | None:
        async with bedrock(lambda _: Answer([sent[: len(sent) // 2], hold])) as (_, provider):
            prepared = await provider.prepare(make())
            events = prepared.stream()
            assert isinstance(await asyncio.wait_for(anext(events), 60), MessageStart)
            await within(hold.reached.wait())
            await events.aclose()
            await within(hold.left.wait())
            return prepared.usage

    usage = asyncio.run(main())
    assert usage is not None
    assert usage.input_tokens > 0


def test_claude_is_seen_thinking_before_its_answer_is_judged() -> None:
    """Only the answer has to wait for its end."""
    hold = Hold()
    thought: list[Mapping[str, object]] = [
        {"type": "message_start", "message": {"type": "message", "content": [], "usage": {"input_tokens": 9}}},
        {"type": "content_block_start", "index": 0, "content_block": {"type": "thinking", "thinking": ""}},
        {"type": "content_block_delta", "index": 0, "delta": {"type": "thinking_delta", "thinking": "Pa"}},
    ]

    async def main() -> list[StreamEvent]:
        async with bedrock(lambda _: Answer([invoke_frames(thought), hold])) as (_, provider):
            events = (await provider.prepare(claude())).stream()
            seen = [await asyncio.wait_for(anext(events), 60) for _ in range(3)]
            await events.aclose()
            return seen

    begun = {"type": "thinking", "thinking": "", "signature": ""}
    assert asyncio.run(main())[1:] == [BlockStart(0, begun), ThinkingDelta(0, "Pa")]


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

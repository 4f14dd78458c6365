"""How calls of Bedrock end: by a client that goes, by a stop sequence of ours, by a server that stays or breaks off."""

import asyncio
import threading
from collections.abc import Callable, Iterator
from contextlib import aclosing

import pytest

from megallm.messages.calls import Call
from megallm.messages.events import MessageStop, Reply, StreamEvent, TextDelta, Usage
from megallm.messages.requests import MessagesRequest
from megallm.providers.bedrock.provider import BedrockProvider

from .asking import call_of
from .calling import INVOKED, PIECES, answering, claude, collect, run
from .fake_bedrock import Answer, FakeBedrock, Hold, Respond, bedrock, within
from .frames import converse_frames, invoke_frames


@pytest.mark.parametrize("make", [claude, call_of])
def test_a_client_that_goes_away_closes_the_upstream_call(make: Callable[..., Call[MessagesRequest]]) -> None:
    """At once, and what was used so far is known (C30)."""
    hold = Hold()
    begun = {
        "invoke-with-response-stream": invoke_frames(INVOKED[:3]),
        "converse-stream": converse_frames(PIECES[:2]),
    }

    async def act(server: FakeBedrock, provider: BedrockProvider) -> Usage | None:
        prepared = await provider.prepare(make())
        events = prepared.stream()
        for _ in range(3):
            await anext(events)
        await within(hold.reached.wait())
        await events.aclose()
        await within(hold.left.wait())
        return prepared.usage

    usage = run(lambda received: Answer([begun[received.path.rpartition("/")[2]], hold]), act)

    assert usage is not None
    assert (usage.input_tokens > 0, usage.output_tokens) == (True, 1)


@pytest.mark.parametrize("make", [claude, call_of])
@pytest.mark.parametrize("streamed", [True, False])
def test_a_cancelled_call_closes_the_upstream_call(make: Callable[..., Call[MessagesRequest]], streamed: bool) -> None:
    """While its answer is waited for."""
    hold = Hold()

    async def act(server: FakeBedrock, provider: BedrockProvider) -> None:
        prepared = await provider.prepare(make())
        task = asyncio.ensure_future(collect(prepared.stream()) if streamed else prepared.create())
        await within(hold.reached.wait())
        task.cancel()
        await asyncio.wait([task])
        await within(hold.left.wait())

    run(lambda received: Answer([hold]), act)


def test_a_stop_sequence_of_several_ends_the_upstream_call() -> None:
    """Whole or streamed: the model would write on (C12)."""
    holds = [Hold(), Hold()]
    said = ("contentBlockDelta", {"contentBlockIndex": 0, "delta": {"text": "one END two"}})
    answers = iter([Answer([converse_frames([PIECES[0], said]), hold]) for hold in holds])

    async def act(server: FakeBedrock, provider: BedrockProvider) -> tuple[Reply, list[StreamEvent]]:
        call = call_of(stop_sequences=["END", "STOP"])
        reply = await (await provider.prepare(call)).create()
        events = await collect((await provider.prepare(call)).stream())
        for hold in holds:
            await within(hold.left.wait())
        return reply, events

    reply, events = run(lambda received: next(answers), act)

    assert (reply.content, reply.stop_reason, reply.stop_sequence) == (
        ({"type": "text", "text": "one "},),
        "stop_sequence",
        "END",
    )
    assert reply.usage.output_tokens == 3
    assert TextDelta(0, "one ") in events


def test_tokens_are_counted_in_a_thread_and_only_where_bedrock_did_not_tell() -> None:
    """The first count of a process takes most of a second, in which no other call may stand still."""
    threads: list[int] = []
    said = ("contentBlockDelta", {"contentBlockIndex": 0, "delta": {"text": "one END two"}})
    hold = Hold()
    answers: Iterator[Respond] = iter([answering, lambda received: Answer([converse_frames([PIECES[0], said]), hold])])

    def count(text: str) -> int:
        threads.append(threading.get_ident())
        return len(text)

    async def main() -> list[Usage | None]:
        async with bedrock(lambda received: next(answers)(received), count_text=count) as (_, provider):
            used: list[Usage | None] = []
            for stops in (["END"], ["END", "STOP"]):
                prepared = await provider.prepare(call_of(stop_sequences=stops))
                await collect(prepared.stream())
                used.append(prepared.usage)
            return used

    told, counted_by_us = asyncio.run(main())

    assert told == Usage(9, 2)
    assert counted_by_us is not None
    assert counted_by_us.output_tokens == len("one END two")
    assert len(threads) == 1
    assert threads[0] != threading.get_ident()


@pytest.mark.parametrize("make", [claude, call_of])
def test_a_server_that_stays_after_the_end_is_left(make: Callable[..., Call[MessagesRequest]]) -> None:
    """The reply is whole; what is said behind it counts for nothing, and only the connection is lost."""
    gap, hold = Hold(), Hold()

    async def act(server: FakeBedrock, provider: BedrockProvider) -> StreamEvent:
        events = []
        async with aclosing((await provider.prepare(make())).stream()) as stream:
            async for event in stream:
                events.append(event)
                if event == MessageStop():
                    gap.released.set()
        await within(hold.left.wait())
        return events[-1]

    assert run(lambda received: Answer([*answering(received).pieces, gap, b"more", hold]), act) == MessageStop()


@pytest.mark.parametrize("make", [claude, call_of])
def test_an_end_that_is_cut_off_after_the_reply_spoils_nothing(make: Callable[..., Call[MessagesRequest]]) -> None:
    """Nothing follows message_stop."""

    async def act(server: FakeBedrock, provider: BedrockProvider) -> StreamEvent:
        return (await collect((await provider.prepare(make())).stream()))[-1]

    assert run(lambda received: Answer(answering(received).pieces, whole=False), act) == MessageStop()

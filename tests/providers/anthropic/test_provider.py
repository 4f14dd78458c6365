"""The anthropic provider against a real server: whole replies, calls sent again, calls cut short."""

import asyncio

import pytest
from pydantic_core import from_json

from megallm.catalog.compatibility import TakesTable
from megallm.errors import UpstreamFailed, UpstreamOverloaded
from megallm.messages.events import Reply, Usage
from megallm.providers.anthropic.provider import AnthropicProvider
from tests.providers.raw_server import Connection, answer

from .talking import MESSAGE, STREAM, answering, body_of, call_of, created, events_of, run, sse, talking


def test_a_whole_reply_is_the_upstreams() -> None:
    """Content, reason and figures; the figures are there to be settled."""

    async def use(provider: AnthropicProvider) -> tuple[Reply, Usage | None, Usage | None]:
        prepared = await provider.prepare(call_of())
        before = prepared.usage
        return await prepared.create(), before, prepared.usage

    (reply, before, after), server = run(answering(answer(MESSAGE)), use)

    usage = Usage(3, 2, native={"input_tokens": 3, "output_tokens": 2})
    assert reply == Reply(({"type": "text", "text": "Hi"},), "end_turn", usage, native=from_json(MESSAGE))
    assert (before, after) == (None, usage)
    assert server.heads[0].split("\r\n")[0] == "POST /v1/messages HTTP/1.1"
    assert body_of(server) == {"model": "up", "max_tokens": 5, "messages": [{"role": "user", "content": "Hi"}]}


def test_a_call_is_sent_as_it_is_used() -> None:
    """An item of a batch may ask for a stream, and gets a whole reply; the other way round too."""

    async def use(provider: AnthropicProvider) -> None:
        await (await provider.prepare(call_of(stream=True))).create()
        await events_of(provider, call_of())

    _, server = run(answering(answer(MESSAGE), sse(STREAM)), use)

    bodies = [from_json(body) for connection in server.connections for body in connection.bodies]
    assert [body["stream"] for body in bodies] == [False, True]


def test_a_call_may_be_sent_again_after_it_failed() -> None:
    """A retry begins anew, its figures too."""

    async def use(provider: AnthropicProvider) -> tuple[Usage | None, Reply]:
        prepared = await provider.prepare(call_of())
        with pytest.raises(UpstreamOverloaded):
            await prepared.create()
        return prepared.usage, await prepared.create()

    (usage, reply), _ = run(answering(answer(status="529 Overloaded"), answer(MESSAGE)), use)

    assert (usage, reply.stop_reason) == (None, "end_turn")


def test_a_whole_reply_that_repeats_its_prefill_loses_it() -> None:
    """Where the table says that the server does so (C05)."""
    turns = [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "H"}]
    call = call_of(TakesTable(features={"repeats_prefill": True}).takes(), messages=turns)

    async def use(provider: AnthropicProvider) -> Reply:
        return await (await provider.prepare(call)).create()

    reply, _ = run(answering(answer(MESSAGE)), use)

    assert reply.content == ({"type": "text", "text": "i"},)


def test_a_server_that_cannot_be_reached_is_a_failure() -> None:
    """Nobody listens there."""

    async def use(provider: AnthropicProvider) -> None:
        with pytest.raises(UpstreamFailed):
            await created(provider)

    run(answering(b""), use, base_url="http://127.0.0.1:9")


def test_an_answer_that_breaks_off_is_a_failure() -> None:
    """Half a message is none."""

    async def script(connection: Connection) -> None:
        await connection.request()
        await connection.send(answer(MESSAGE)[:-9])

    async def use(provider: AnthropicProvider) -> None:
        with pytest.raises(UpstreamFailed):
            await created(provider)

    run(script, use)


def test_cancelling_a_call_ends_it_upstream() -> None:
    """At once; the server sees the connection go."""
    there, left = asyncio.Event(), asyncio.Event()

    async def script(connection: Connection) -> None:
        await connection.request()
        there.set()
        await connection.gone()
        left.set()

    async def talk() -> None:
        async with talking(script) as (provider, _):
            task = asyncio.create_task(created(provider))
            await there.wait()
            task.cancel()
            await asyncio.wait_for(left.wait(), 60)

    asyncio.run(talk())


def test_the_provider_has_nothing_to_close() -> None:
    """Connections belong to whoever made them."""
    _, server = run(answering(answer(MESSAGE)), lambda provider: provider.aclose())

    assert server.heads == []

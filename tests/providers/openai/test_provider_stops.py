"""What ends a call before the server would: a caller who leaves (C30), and stop sequences (C12)."""

import asyncio
from contextlib import aclosing

import pytest
from pydantic_core import to_json

from megallm.messages.events import MessageStart
from megallm.messages.fold import fold
from tests.providers.raw_server import Connection, answer

from .asking import call_of
from .chat_server import STREAM_HEAD, USAGE, Upstream, chunk, create, run, stream


def test_closing_the_stream_closes_the_call() -> None:
    """C30: at once, and what was used until then is known."""
    gone = asyncio.Event()

    async def script(connection: Connection) -> None:
        await connection.request()
        await connection.send(STREAM_HEAD + chunk({"role": "assistant", "content": "Hello"}))
        await connection.gone()
        gone.set()

    async def test(there: Upstream) -> None:
        prepared = await there.provider.prepare(call_of())
        events = prepared.stream()
        async with aclosing(events):
            assert isinstance(await anext(events), MessageStart)
        await gone.wait()
        assert prepared.usage is not None

    run(test, script)


@pytest.mark.parametrize("streaming", [False, True])
def test_cancelling_closes_the_call(streaming: bool) -> None:
    """C30: while the server is still thinking."""
    asked, gone = asyncio.Event(), asyncio.Event()

    async def script(connection: Connection) -> None:
        await connection.request()
        asked.set()
        await connection.gone()
        gone.set()

    async def test(there: Upstream) -> None:
        task = asyncio.ensure_future(stream(there) if streaming else create(there))
        await asked.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await gone.wait()

    run(test, script)


@pytest.mark.parametrize("streaming", [False, True])
def test_stop_sequences_are_matched_by_us_and_end_the_call(streaming: bool) -> None:
    """C12: a whole reply is read as it comes as well, or the server would write on for nobody."""
    gone = asyncio.Event()

    async def script(connection: Connection) -> None:
        await connection.request()
        await connection.send(STREAM_HEAD + chunk({"content": "one EN"}) + chunk({"content": "D two"}))
        await connection.gone()
        gone.set()

    async def test(there: Upstream) -> None:
        fields = {"stop_sequences": ["a", "END"]}
        reply = fold(await stream(there, **fields)) if streaming else await create(there, **fields)
        assert (reply.content, reply.stop_reason, reply.stop_sequence) == (
            ({"type": "text", "text": "one "},),
            "stop_sequence",
            "END",
        )
        assert "stop" not in there.bodies[0]
        await gone.wait()

    run(test, script)


def test_a_server_that_tells_which_sequence_hit_is_sent_them() -> None:
    """C12: vLLM's stop_reason."""

    async def script(connection: Connection) -> None:
        await connection.request()
        choice = {"index": 0, "message": {"content": "one "}, "finish_reason": "stop", "stop_reason": "END"}
        await connection.send(answer(to_json({"choices": [choice], "usage": USAGE}), content_type="application/json"))

    async def test(there: Upstream) -> None:
        reply = await create(there, stop_sequences=["a", "END"], table="vllm")
        assert (reply.stop_reason, reply.stop_sequence) == ("stop_sequence", "END")
        assert there.bodies[0]["stop"] == ["a", "END"]

    run(test, script)

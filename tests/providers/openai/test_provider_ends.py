"""Calls of the provider at their edges: what comes behind the reason, a key wrong twice, a table known before."""

import asyncio
from contextlib import aclosing

from megallm.errors import UpstreamMisconfigured
from megallm.messages.events import MessageDelta, TextDelta, Usage
from tests.providers.raw_server import Connection

from .asking import call_of, counted
from .chat_server import (
    STREAM_HEAD,
    USAGE,
    WRONG_KEY,
    RotatingKey,
    Upstream,
    chunk,
    completion,
    create,
    failing,
    plays,
    run,
    upstream,
    within,
)


def test_what_comes_behind_the_reason_is_waited_for() -> None:
    """C27: usage, with which the reason is told and not before; a last piece of text, too."""
    go_on = asyncio.Event()

    async def script(connection: Connection) -> None:
        await connection.request()
        await connection.send(STREAM_HEAD + chunk({"content": "Hello"}) + chunk({}, finish_reason="stop"))
        await go_on.wait()
        await connection.send(chunk({"content": " you"}), pause=0.02)
        await connection.send(chunk(usage=USAGE) + b"data: [DONE]\n\n")

    async def test(there: Upstream) -> None:
        prepared = await there.provider.prepare(call_of("Hello"))
        ends: list[Usage] = []
        texts: list[str] = []
        async with aclosing(prepared.stream()) as events:
            async for event in events:
                go_on.set()  # the first events are there, the reason may be
                match event:
                    case TextDelta():
                        texts.append(event.text)
                    case MessageDelta():
                        ends.append(event.usage)
                    case _:
                        pass
        assert (texts, ends) == (["Hello", " you"], [Usage(input_tokens=7, output_tokens=3)])

    run(test, script)


def test_a_second_key_that_is_refused_is_forgotten_too() -> None:
    """The next call reads it anew; this one is over."""

    async def main() -> tuple[object, int, int]:
        key = RotatingKey(("key-1", "key-2", "key-3"))
        async with upstream(plays(WRONG_KEY, WRONG_KEY, completion()), key=key) as there:
            error = await within(failing(create(there)))
            forgotten = key.forgotten
            await within(create(there))
            return type(error), forgotten, len(there.server.heads)

    assert asyncio.run(main()) == (UpstreamMisconfigured, 2, 3)


def test_a_tokenizer_that_refuses_our_only_key_is_our_fault() -> None:
    """There is no other key to try with."""

    async def main() -> tuple[object, int]:
        async with upstream(plays(WRONG_KEY), key=RotatingKey(("key-1",)), tokenize_path="/tokenize") as there:
            error = await within(failing(there.provider.count_tokens(counted(call_of("Hello", table="vllm")))))
            return type(error), len(there.server.heads)

    assert asyncio.run(main()) == (UpstreamMisconfigured, 1)


def test_a_table_is_read_once_for_all_calls_of_its_route() -> None:
    """Both are translated by it."""

    async def test(there: Upstream) -> None:
        call = call_of("Hello")
        for _ in range(2):
            prepared = await there.provider.prepare(call)
            assert (await prepared.create()).content == ({"type": "text", "text": "Hello"},)
        first, second = there.bodies
        assert first == second

    run(test, plays(completion(), completion()))

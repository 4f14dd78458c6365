"""Streams of a native upstream over a real connection: paced, broken off, left, and used again."""

import asyncio
from contextlib import aclosing

import pytest

from megallm.errors import GatewayError, UpstreamFailed, UpstreamOverloaded
from megallm.messages.events import MessageDelta, MessageStart, MessageStop, Relayed, StreamEvent, Usage
from megallm.providers.anthropic.provider import AnthropicProvider
from tests.providers.raw_server import Connection, Script, answer
from tests.providers.slow_clock import SlowClock, turns

from .talking import END, MESSAGE, START, STREAM, TEXT, answering, call_of, events_of, fields_of, run, sse, talking

RELAYED = [Relayed(frame) for frame in TEXT]


def kinds(events: list[StreamEvent]) -> list[type[StreamEvent]]:
    return [type(event) for event in events]


def test_a_stream_is_relayed() -> None:
    """Its frames as they came, its start and end read."""
    events, server = run(answering(sse(STREAM)), events_of)

    assert events[1:-2] == RELAYED
    assert kinds(events) == [MessageStart, Relayed, Relayed, Relayed, MessageDelta, MessageStop]
    fields = fields_of(server.heads[0])
    assert (fields["accept"], fields["accept-encoding"]) == ("text/event-stream", "identity")


def test_events_come_as_they_are_sent() -> None:
    """None is held back until the next."""
    sent: list[int] = []

    async def script(connection: Connection) -> None:
        await connection.request()
        await connection.send(answer(content_type="text/event-stream", content_length=str(len(STREAM))))
        for piece in (START, *TEXT, END):
            sent.append(len(sent))
            await connection.send(piece, pause=0.05)

    async def use(provider: AnthropicProvider) -> list[int]:
        async with aclosing((await provider.prepare(call_of(stream=True))).stream()) as events:
            return [len(sent) async for _ in events]

    seen, _ = run(script, use)

    assert seen == [1, 2, 3, 4, 5, 5]


def test_the_estimate_stands_where_the_upstream_has_no_figure() -> None:
    """A quarter of the body's bytes without ``stream``."""
    stream = STREAM.replace(b'"input_tokens":3,', b"")

    events, server = run(answering(sse(stream)), events_of)

    assert isinstance(events[0], MessageStart)
    sent = server.connections[0].bodies[0].replace(b',"stream":true', b"")
    assert events[0].usage.input_tokens == len(sent) // 4


@pytest.mark.parametrize("usage", [b"null", b"[]", b"{}", b'{"input_tokens":null,"output_tokens":null}'])
def test_an_upstream_that_tells_no_usage_is_charged_the_same_streamed_and_whole(usage: bytes) -> None:
    """What the reply says and what the call is settled with, in both modes (C31, C38)."""
    start = START.replace(b'{"input_tokens":3,"output_tokens":1}', usage)
    stream = start + b"".join(TEXT) + END.replace(b'{"output_tokens":2}', usage)
    whole = MESSAGE.replace(b'{"input_tokens":3,"output_tokens":2}', usage)

    async def streamed(provider: AnthropicProvider) -> list[Usage | None]:
        prepared = await provider.prepare(call_of(stream=True))
        async with aclosing(prepared.stream()) as events:
            told = [event.usage async for event in events if isinstance(event, MessageDelta)]
        return [*told, prepared.usage]

    async def unstreamed(provider: AnthropicProvider) -> list[Usage | None]:
        prepared = await provider.prepare(call_of())
        return [(await prepared.create()).usage, prepared.usage]

    (told, charged), _ = run(answering(sse(stream)), streamed)
    got, _ = run(answering(answer(content_length=str(len(whole))) + whole), unstreamed)

    assert got == [told, charged]
    assert charged is not None
    assert (charged.input_tokens, charged.output_tokens) == (18, 1)


def test_stop_sequences_of_the_request_are_known_by_name() -> None:
    """C12, where the upstream says end_turn."""
    stream = STREAM.replace(b'"end_turn"', b'"end_turn","stop_sequence":"four"')

    events, _ = run(answering(sse(stream)), lambda provider: events_of(provider, call_of(stop_sequences=["four"])))

    assert isinstance(events[-2], MessageDelta)
    assert (events[-2].stop_reason, events[-2].stop_sequence) == ("stop_sequence", "four")


@pytest.mark.parametrize("cut", range(0, len(STREAM) - 1, 20))
def test_a_stream_that_breaks_off_is_an_error(cut: int) -> None:
    """Whether the connection breaks, or the upstream ends its answer as if it were whole."""
    for script in (answering(sse(STREAM[:cut])), _breaking_off(STREAM[:cut])):

        async def use(provider: AnthropicProvider) -> None:
            with pytest.raises(UpstreamFailed):
                await events_of(provider)

        run(script, use)


def _breaking_off(body: bytes) -> Script:
    async def script(connection: Connection) -> None:
        await connection.request()
        await connection.send(sse(body, length=len(STREAM)))
        connection.reset()

    return script


def test_a_stream_whose_last_line_end_is_a_lone_cr_is_whole() -> None:
    """The decoder holds it back until there is no more to come."""
    stream = STREAM.replace(b"\n", b"\r")

    events, _ = run(answering(sse(stream)), events_of)

    assert kinds(events)[-1] is MessageStop


@pytest.mark.parametrize(
    ("payload", "expected"),
    [
        (b'event: error\ndata: {"type":"error","error":{"type":"overloaded_error"}}\n\n', UpstreamOverloaded),
        (b"event: content_block_delta\ndata: rubbish\n\n", UpstreamFailed),
        (b"<html>no events at all</html>", UpstreamFailed),
    ],
)
def test_an_error_in_a_stream_is_that_error(payload: bytes, expected: type[GatewayError]) -> None:
    """After what was relayed before it."""

    async def use(provider: AnthropicProvider) -> list[StreamEvent]:
        async with aclosing((await provider.prepare(call_of(stream=True))).stream()) as events:
            seen = [await anext(events) for _ in range(3)]
            with pytest.raises(expected):
                await anext(events)
        return seen

    seen, _ = run(answering(sse(START, *TEXT[:2], payload)), use)

    assert kinds(seen) == [MessageStart, Relayed, Relayed]


def test_figures_of_a_stream_that_is_left_are_those_so_far() -> None:
    """To be settled: the input as told, the output as guessed."""

    async def use(provider: AnthropicProvider) -> tuple[Usage | None, Usage | None]:
        prepared = await provider.prepare(call_of(stream=True))
        before = prepared.usage
        async with aclosing(prepared.stream()) as events:
            for _ in range(3):
                await anext(events)
        return before, prepared.usage

    (before, after), _ = run(answering(sse(START, *TEXT, END)), use)

    assert before is None
    assert after is not None
    assert (after.input_tokens, after.output_tokens) == (3, 1)


@pytest.mark.parametrize("by", ["closing", "cancelling"])
def test_leaving_a_stream_ends_it_upstream(by: str) -> None:
    """At once, though the upstream has more to say (C30)."""
    left = asyncio.Event()

    async def script(connection: Connection) -> None:
        await connection.request()
        await connection.send(sse(START, TEXT[0], length=9999))
        await connection.gone()
        left.set()

    async def talk() -> None:
        async with talking(script) as (provider, _):
            events = (await provider.prepare(call_of(stream=True))).stream()
            await anext(events)
            await anext(events)
            if by == "closing":
                await events.aclose()
            else:
                waiting = asyncio.ensure_future(anext(events))
                await asyncio.sleep(0.05)
                waiting.cancel()
                await asyncio.wait([waiting])
            await asyncio.wait_for(left.wait(), 60)

    asyncio.run(talk())


def test_a_connection_is_used_again_after_a_stream() -> None:
    """Its end is read, though the last event was there before it."""

    async def script(connection: Connection) -> None:
        while True:
            await connection.request()
            await connection.send(answer(content_type="text/event-stream", content_length=str(len(STREAM) + 2)), STREAM)
            await turns()
            await connection.send(b"\n\n")

    async def use(provider: AnthropicProvider) -> None:
        for _ in range(3):
            await events_of(provider)

    _, server = run(script, use, loop=SlowClock)

    assert (len(server.connections), len(server.heads)) == (1, 3)


@pytest.mark.parametrize("ending", ["silence", "reset"])
def test_what_comes_after_the_end_cannot_spoil_it(ending: str) -> None:
    """An upstream that does not hang up, or breaks, has sent all that there is."""

    async def script(connection: Connection) -> None:
        await connection.request()
        await connection.send(sse(STREAM, length=len(STREAM) + 9), pause=0.05)
        if ending == "reset":
            connection.reset()
        else:
            await connection.gone()

    async def use(provider: AnthropicProvider) -> list[StreamEvent]:
        return await asyncio.wait_for(events_of(provider), 60)

    events, _ = run(script, use)

    assert kinds(events)[-1] is MessageStop

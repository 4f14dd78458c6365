"""Short ways to let the provider talk to a server that does what a test says."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import aclosing, asynccontextmanager
from typing import Any, TypeVar

from pydantic_core import from_json, to_json

from megallm.messages.calls import Call
from megallm.messages.compatibility import EVERYTHING, Takes
from megallm.messages.events import Reply, StreamEvent
from megallm.messages.requests import MessagesRequest, parse
from megallm.providers.anthropic.provider import AnthropicProvider, AnthropicSettings
from megallm.providers.http import Http
from megallm.providers.secrets import ApiKey
from megallm.providers.tokens import count_text
from tests.providers.raw_server import Connection, RawServer, Script, answer, serving

ResultT = TypeVar("ResultT")

MESSAGE = (
    b'{"id":"m","type":"message","role":"assistant","model":"up","content":[{"type":"text","text":"Hi"}],'
    b'"stop_reason":"end_turn","stop_sequence":null,"usage":{"input_tokens":3,"output_tokens":2}}'
)


def frame(kind: bytes, rest: bytes = b"") -> bytes:
    """A frame as an upstream sends it."""
    return b'event: %b\ndata: {"type":"%b"%b}\n\n' % (kind, kind, rest)


START = frame(b"message_start", b',"message":{"usage":{"input_tokens":3,"output_tokens":1}}')
TEXT = (
    frame(b"content_block_start", b',"index":0,"content_block":{"type":"text","text":""}'),
    frame(b"content_block_delta", b',"index":0,"delta":{"type":"text_delta","text":"Hi"}'),
    frame(b"content_block_stop", b',"index":0'),
)
END = frame(b"message_delta", b',"delta":{"stop_reason":"end_turn"},"usage":{"output_tokens":2}') + frame(
    b"message_stop"
)
STREAM = START + b"".join(TEXT) + END


class Keys:
    """Keys of an upstream, the first of which is known; each time one is forgotten, the next is read."""

    def __init__(self, *keys: str) -> None:
        self._keys = list(keys)
        self.forgotten = 0

    async def get(self) -> str:
        return self._keys[0]

    def forget(self) -> None:
        self.forgotten += 1
        if len(self._keys) > 1:
            self._keys.pop(0)


def call_of(
    takes: Takes = EVERYTHING,
    *,
    betas: tuple[str, ...] = (),
    headers: tuple[tuple[str, str], ...] = (),
    **fields: object,
) -> Call[MessagesRequest]:
    """A call with a small body."""
    body = to_json({"model": "asked", "max_tokens": 5, "messages": [{"role": "user", "content": "Hi"}], **fields})
    return Call(parse(body, MessagesRequest), "up", betas, body, takes=takes, headers=headers)


@asynccontextmanager
async def talking(
    script: Script, *, key: ApiKey | None = None, **settings: Any
) -> AsyncIterator[tuple[AnthropicProvider, RawServer]]:
    """A provider and its server."""
    http = Http()
    async with serving(script) as server:
        chosen = AnthropicSettings(**{"base_url": server.url, **settings})
        try:
            yield (
                AnthropicProvider(name="house", settings=chosen, http=http, api_key=key, count_text=count_text),
                server,
            )
        finally:
            await http.aclose()


def run(
    script: Script,
    use: Callable[[AnthropicProvider], Awaitable[ResultT]],
    *,
    key: ApiKey | None = None,
    loop: Callable[[], asyncio.AbstractEventLoop] = asyncio.new_event_loop,
    **settings: Any,  # Any: those of AnthropicSettings
) -> tuple[ResultT, RawServer]:
    """What *use* makes of the provider, and the server that it talked to."""

    async def talk() -> tuple[ResultT, RawServer]:
        async with talking(script, key=key, **settings) as (provider, server):
            return await use(provider), server

    with asyncio.Runner(loop_factory=loop) as runner:
        return runner.run(talk())


def answering(*answers: bytes) -> Script:
    """A script that gives one answer after the other, the last one again and again."""
    left = list(answers)

    async def script(connection: Connection) -> None:
        while True:
            await connection.request()
            await connection.send(left.pop(0) if len(left) > 1 else left[0])

    return script


def sse(*pieces: bytes, length: int | None = None) -> bytes:
    """A whole answer of server-sent events; another *length* than the true one makes it too short."""
    body = b"".join(pieces)
    head = {"content_type": "text/event-stream", "content_length": str(len(body) if length is None else length)}
    return answer(body, **head)


def failing(status: str, body: bytes | dict[str, object] = b"", **headers: str) -> Script:
    """A script that refuses every request."""
    return answering(answer(body if isinstance(body, bytes) else to_json(body), status=status, **headers))


async def created(provider: AnthropicProvider) -> Reply:
    """A whole reply."""
    return await (await provider.prepare(call_of())).create()


async def events_of(provider: AnthropicProvider, call: Call[MessagesRequest] | None = None) -> list[StreamEvent]:
    """All events of a streamed reply."""
    prepared = await provider.prepare(call or call_of(stream=True))
    async with aclosing(prepared.stream()) as events:
        return [event async for event in events]


def fields_of(head: str) -> dict[str, str]:
    """The header fields of a request; their names in lower case."""
    lines: Sequence[str] = head.split("\r\n")[1:]
    return {name.lower(): value for name, _, value in (line.partition(": ") for line in lines if line)}


def body_of(server: RawServer) -> Any:  # Any: JSON
    """The last request's body."""
    return from_json(server.connections[-1].bodies[-1])

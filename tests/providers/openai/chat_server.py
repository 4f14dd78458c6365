"""A chat-completions server of a few lines, and a provider that talks to it."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, TypeVar

import pytest
from pydantic_core import from_json, to_json

from megallm.errors import GatewayError
from megallm.messages.calls import Call
from megallm.messages.events import Event, Reply, Usage
from megallm.messages.requests import MessagesRequest
from megallm.providers.http import Http
from megallm.providers.images import ImageSource
from megallm.providers.openai.provider import OpenAIProvider, OpenAISettings
from megallm.providers.openai.provider_call import OpenAICall
from tests.providers.raw_server import Connection, RawServer, answer, serving

from .asking import call_of, counting_ids, signer, words

T = TypeVar("T")

USAGE: dict[str, object] = {"prompt_tokens": 7, "completion_tokens": 3, "total_tokens": 10}


def completion(
    text: str | None = "Hello", *, finish_reason: str = "stop", usage: Mapping[str, object] = USAGE, **message: object
) -> bytes:
    """A whole chat completion as the body of a 200."""
    choice = {
        "index": 0,
        "message": {"role": "assistant", "content": text, **message},
        "finish_reason": finish_reason,
    }
    return answer(
        to_json({"id": "c1", "object": "chat.completion", "choices": [choice], "usage": usage}),
        content_type="application/json",
    )


def refusal(status: str, body: object, **headers: str) -> bytes:
    """An error with a JSON body."""
    return answer(to_json(body), status=status, content_type="application/json", **headers)


STREAM_HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream; charset=utf-8\r\nconnection: close\r\n\r\n"


def chunk(delta: Mapping[str, object] | None = None, **more: object) -> bytes:
    """One frame of a stream; without a delta it has no choices."""
    choices = [] if delta is None else [{"index": 0, "delta": delta, "finish_reason": more.pop("finish_reason", None)}]
    return b"data: %b\n\n" % to_json({"object": "chat.completion.chunk", "choices": choices, **more})


def chunks(*pieces: str, finish_reason: str = "stop") -> bytes:
    """A whole stream after its head."""
    frames = [chunk({"role": "assistant", "content": ""}), *(chunk({"content": piece}) for piece in pieces)]
    return b"".join([*frames, chunk({}, finish_reason=finish_reason), chunk(usage=USAGE), b"data: [DONE]\n\n"])


def streamed(*pieces: str) -> bytes:
    """A whole streamed response."""
    return STREAM_HEAD + chunks(*pieces)


def plays(*responses: bytes) -> Callable[[Connection], Awaitable[None]]:
    """A script that answers the first request with the first response, and so on, over whatever connections."""
    left = list(responses)

    async def script(connection: Connection) -> None:
        while left:
            await connection.request()
            response = left.pop(0)
            await connection.send(response)
            if response.startswith(STREAM_HEAD):
                return  # its end is the connection's

    return script


@dataclass
class RotatingKey:
    """An ``ApiKey`` that has another key each time it was forgotten."""

    keys: Sequence[str] = ("key-1",)
    forgotten: int = 0

    async def get(self) -> str:
        return self.keys[min(self.forgotten, len(self.keys) - 1)]

    def forget(self) -> None:
        self.forgotten += 1


@dataclass
class Upstream:
    """A running server and the provider for it."""

    server: RawServer
    provider: OpenAIProvider
    key: RotatingKey = field(default_factory=RotatingKey)

    @property
    def bodies(self) -> list[dict[str, object]]:
        """The JSON bodies that came."""
        return [from_json(body) for connection in self.server.connections for body in connection.bodies]


@asynccontextmanager
async def upstream(
    script: Callable[[Connection], Awaitable[None]],
    *,
    base: str = "v1",
    key: RotatingKey | None = None,
    images: ImageSource | None = None,
    **settings: object,
) -> AsyncIterator[Upstream]:
    """A server that plays the script; *settings* are those of the provider."""
    http = Http()
    async with serving(script) as server:
        made = OpenAISettings(f"{server.url}{base}", **settings)  # type: ignore[arg-type]  # as the dataclass has them
        provider = OpenAIProvider(
            name="chat",
            settings=made,
            http=http,
            api_key=key,
            signer=signer,
            new_tool_id=counting_ids(),
            images=images,
            count_text=words,
        )
        try:
            yield Upstream(server, provider, key or RotatingKey())
        finally:
            await provider.aclose()
            await http.aclose()


async def events_of(provider: OpenAIProvider, call: Call[MessagesRequest]) -> list[Event]:
    """All events of a streamed reply."""
    prepared = await provider.prepare(call)
    async with aclosing(prepared.stream()) as events:
        return [event async for event in events]


async def within(awaitable: Awaitable[T], seconds: float = 60.0) -> T:
    """The result, or TimeoutError: no test waits forever."""
    return await asyncio.wait_for(awaitable, seconds)


SPENT = Usage(input_tokens=7, output_tokens=3)
TEXT = Reply(({"type": "text", "text": "Hello"},), "end_turn", SPENT)


def run(
    test: Callable[[Upstream], Awaitable[None]], script: Callable[[Connection], Awaitable[None]], **settings: object
) -> None:
    """Runs a test with a server that plays the script."""

    async def whole() -> None:
        async with upstream(script, **settings) as there:  # type: ignore[arg-type]  # as upstream takes them
            await within(test(there))

    asyncio.run(whole())


async def create(there: Upstream, content: object = "Hello", **fields: Any) -> Reply:
    """The whole reply."""
    prepared = await there.provider.prepare(call_of(content, **fields))
    return await prepared.create()


async def stream(there: Upstream, content: object = "Hello", **fields: Any) -> list[Event]:
    """All events of the reply."""
    return await events_of(there.provider, call_of(content, **fields))


async def failing(awaitable: Awaitable[object]) -> GatewayError:
    """The error that comes instead of a result."""
    with pytest.raises(GatewayError) as caught:
        await awaitable
    return caught.value


async def broken(prepared: OpenAICall) -> tuple[list[Event], GatewayError]:
    """The events of a stream that does not end well, and the error in place of the others."""
    events: list[Event] = []
    try:
        async with aclosing(prepared.stream()) as stream:
            async for event in stream:
                events.append(event)  # noqa: PERF401  a comprehension would lose them with the error
    except GatewayError as error:
        return events, error
    raise AssertionError("the stream ended well")


def head_of(there: Upstream, at: int = 0) -> tuple[str, dict[str, str]]:
    """The request line and the headers of a request that came."""
    line, *fields = there.server.heads[at].strip().split("\r\n")
    return line, {name.lower(): value for name, value in (field.split(": ", 1) for field in fields)}


WRONG_KEY = refusal("401 Unauthorized", {"error": {"message": "Incorrect API key provided: key-1"}})

FILTERED = refusal(
    "400 Bad Request",
    {
        "error": {
            "code": "content_filter",
            "message": "m",
            "innererror": {"content_filter_result": {"violence": {"filtered": True}}},
        }
    },
)

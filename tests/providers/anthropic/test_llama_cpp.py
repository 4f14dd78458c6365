"""llama.cpp's own Messages endpoint as a live upstream: the tiny model behind a real server, through our provider."""

import asyncio
import socket
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import TypeVar

import pytest

from megallm.errors import GatewayError, InvalidRequest
from megallm.messages.events import Relayed, StreamEvent
from megallm.messages.sse import encode
from megallm.providers.anthropic.provider import AnthropicProvider, AnthropicSettings
from megallm.providers.embedded.library import load_library
from megallm.providers.http import Http
from megallm.providers.tokens import count_text
from tests.wire_legality import check, payloads

from .talking import call_of, events_of

ResultT = TypeVar("ResultT")


@pytest.fixture(scope="module")
def url(tiny_model: Path) -> Iterator[str]:
    """Where the server listens; it ends with the last reference to it."""
    library = load_library()
    params = library.CommonParams()
    params.model.path = str(tiny_model)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        params.port = free.getsockname()[1]
    params.hostnames = ["127.0.0.1"]
    params.ui = False
    params.verbosity = -1
    params.n_parallel, params.n_ctx, params.n_batch, params.cache_ram_mib = 1, 512, 128, 0
    params.cpuparams.n_threads = params.cpuparams_batch.n_threads = 1
    server = library.Server(params)
    yield f"http://127.0.0.1:{params.port}"
    del server


def asked(url: str, use: Callable[[AnthropicProvider], Awaitable[ResultT]]) -> ResultT:
    async def ask() -> ResultT:
        http = Http()
        try:
            settings = AnthropicSettings(base_url=url)
            return await use(
                AnthropicProvider(name="house", settings=settings, http=http, api_key=None, count_text=count_text)
            )
        finally:
            await http.aclose()

    return asyncio.run(ask())


def frames_of(events: list[StreamEvent]) -> list[bytes]:
    return [encode(event, "msg_1", "asked") for event in events]


def test_a_stream_of_it_is_legal_and_its_text_is_that_of_the_whole_reply(url: str) -> None:
    """At temperature 0; and the figures of both agree."""
    events = asked(url, lambda provider: events_of(provider, call_of(stream=True, temperature=0, max_tokens=12)))

    async def whole(provider: AnthropicProvider) -> tuple[str, int]:
        reply = await (await provider.prepare(call_of(temperature=0, max_tokens=12))).create()
        return "".join(str(block["text"]) for block in reply.content), reply.usage.output_tokens

    frames = frames_of(events)
    assert check(frames).is_whole
    deltas = [payload["delta"] for payload in payloads(b"".join(frames)) if payload["type"] == "content_block_delta"]
    end = payloads(b"".join(frames))[-2]
    assert ("".join(delta["text"] for delta in deltas), end["usage"]["output_tokens"]) == asked(url, whole)
    assert sum(isinstance(event, Relayed) for event in events) > 5


def test_its_tokens_are_counted_by_itself(url: str) -> None:
    """As many as the reply then says the prompt had."""

    async def use(provider: AnthropicProvider) -> tuple[int, int]:
        reply = await (await provider.prepare(call_of())).create()
        return await provider.count_tokens(call_of()), reply.usage.prompt_tokens

    counted, used = asked(url, use)

    assert counted == used


def test_a_stop_sequence_is_told_as_one(url: str) -> None:
    """Where llama.cpp calls it the end of its turn."""
    call = call_of(
        temperature=0,
        max_tokens=60,
        stop_sequences=["."],
        messages=[{"role": "user", "content": "Tell me a story about a dog"}],
    )

    async def use(provider: AnthropicProvider) -> tuple[str, str | None]:
        reply = await (await provider.prepare(call)).create()
        return reply.stop_reason, reply.stop_sequence

    assert asked(url, use) == ("stop_sequence", ".")


def test_a_prompt_that_is_too_long_is_told_in_the_words_that_clients_look_for(url: str) -> None:
    """C33, before any event."""
    call = call_of(stream=True, messages=[{"role": "user", "content": "word " * 600}])

    with pytest.raises(InvalidRequest, match=r"^prompt is too long: \d+ tokens > \d+ maximum$"):
        asked(url, lambda provider: events_of(provider, call))


def test_what_it_cannot_do_is_an_error_of_the_tree(url: str) -> None:
    """An image for a model that is blind."""
    image = {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "iVBORw0KGgo="}}
    call = call_of(messages=[{"role": "user", "content": [image]}])

    async def use(provider: AnthropicProvider) -> GatewayError:
        with pytest.raises(GatewayError) as caught:
            await (await provider.prepare(call)).create()
        return caught.value

    error = asked(url, use)

    assert (error.status, error.param) == (400, "messages")

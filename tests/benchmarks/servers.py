"""The apps that are compared: ours, and what a good programmer writes in an hour, over two clients."""

import os
from collections.abc import Awaitable, Callable

import aiohttp
import httpx
from fastapi import FastAPI
from pydantic import BaseModel

from functions.api.app import create_app
from functions.heap import settle
from megallm.catalog.file_format import parse
from megallm.composition import assemble
from megallm.identifiers import new_tool_use_id
from megallm.limits.unlimited import Unlimited
from megallm.messages.signatures import Signer
from megallm.operations.gateway import Gateway
from megallm.providers.http import Http
from megallm.providers.openai.provider import OpenAIProvider, OpenAISettings
from megallm.providers.tokens import count_text
from megallm.settings import Settings
from tests.fakes import KEY_RECORD, MemoryKeys, ScriptedProvider, gateway, text_reply

_CATALOG = """
[providers.stub]
kind = "openai"
base_url = "{url}"
table = "vllm"

[[models]]
id = "claude-test"
display_name = "Test"
context_tokens = 1000000
max_output_tokens = 64000
routes = [{{ provider = "stub", model = "stub" }}]
"""


def translating(url: str, http: Http) -> Gateway:
    """A gateway whose one model is answered by the chat-completions server at *url*, asked over *http*."""
    signer = Signer([b"0" * 32])

    async def sign() -> Signer:
        return signer

    provider = OpenAIProvider(
        name="stub",
        settings=OpenAISettings(base_url=url),
        http=http,
        api_key=None,
        signer=sign,
        new_tool_id=new_tool_use_id,
        count_text=count_text,
    )
    catalog = parse(_CATALOG.format(url=url), source="benchmarks")
    return assemble(Settings(), MemoryKeys(KEY_RECORD), catalog, {"stub": provider}, Unlimited())


def ours_stubbed() -> FastAPI:
    """MegaLLM with a stubbed provider."""
    app = create_app(gateway(ScriptedProvider(text_reply("Rome."))))
    settle()
    return app


def ours() -> FastAPI:
    """MegaLLM, translating for the upstream at ``UPSTREAM``."""
    app = create_app(translating(f"{os.environ['UPSTREAM']}/v1", Http()))
    settle()
    return app


class _Message(BaseModel):
    role: str
    content: str


class _Request(BaseModel):
    model: str
    max_tokens: int
    messages: list[_Message]


Ask = Callable[[dict[str, object]], Awaitable[dict[str, object]]]


def _plain(ask: Ask) -> FastAPI:
    app = FastAPI()

    @app.post("/v1/messages")
    async def post(request: _Request) -> dict[str, object]:
        wire = {"model": request.model, "max_tokens": request.max_tokens}
        completion = await ask({**wire, "messages": [message.model_dump() for message in request.messages]})
        choices = completion["choices"]
        assert isinstance(choices, list)
        text = choices[0]["message"]["content"]
        return {"type": "message", "role": "assistant", "content": [{"type": "text", "text": text}]}

    return app


def plain_httpx() -> FastAPI:
    """FastAPI, pydantic, one httpx client to the upstream: no streaming, no tools, no errors, no limits."""
    client = httpx.AsyncClient()
    url = f"{os.environ['UPSTREAM']}/v1/chat/completions"

    async def ask(body: dict[str, object]) -> dict[str, object]:
        completion: dict[str, object] = (await client.post(url, json=body)).json()
        return completion

    return _plain(ask)


def plain_aiohttp() -> FastAPI:
    """The same over aiohttp."""
    url = f"{os.environ['UPSTREAM']}/v1/chat/completions"
    sessions: list[aiohttp.ClientSession] = []  # made on the loop that uses it

    async def ask(body: dict[str, object]) -> dict[str, object]:
        if not sessions:
            sessions.append(aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)))
        async with sessions[0].post(url, json=body) as answer:
            completion: dict[str, object] = await answer.json()
            return completion

    return _plain(ask)

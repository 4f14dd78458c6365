"""The servers whose requests per second are compared: ours, and plain FastAPI + httpx."""

import os

import httpx
from fastapi import FastAPI
from pydantic import BaseModel

from functions.api.app import create_app
from functions.api.heap import settle
from tests.fakes import ScriptedProvider, gateway, text_reply


def ours() -> FastAPI:
    """MegaLLM with a stubbed provider."""
    app = create_app(gateway(ScriptedProvider(text_reply("Rome."))))
    settle()
    return app


class _Message(BaseModel):
    role: str
    content: str


class _Request(BaseModel):
    model: str
    max_tokens: int
    messages: list[_Message]


def reference() -> FastAPI:
    """What a good programmer writes in an hour: FastAPI, pydantic, one httpx client to the upstream."""
    app = FastAPI()
    client = httpx.AsyncClient(base_url=os.environ["UPSTREAM"])

    @app.post("/v1/messages")
    async def post(request: _Request) -> dict[str, object]:
        wire = {"model": request.model, "max_tokens": request.max_tokens}
        answer = await client.post(
            "/v1/chat/completions", json={**wire, "messages": [message.model_dump() for message in request.messages]}
        )
        completion = answer.json()
        text = completion["choices"][0]["message"]["content"]
        return {"type": "message", "role": "assistant", "content": [{"type": "text", "text": text}]}

    return app

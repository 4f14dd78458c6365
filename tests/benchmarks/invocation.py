"""One Lambda invocation in this process: our app against Mangum around a bare ASGI function."""

import json
from collections.abc import Callable
from statistics import median
from typing import Any

from fastapi import FastAPI
from mangum import Mangum
from pydantic import BaseModel
from starlette.types import Receive, Scope, Send

from functions.api.app import create_app
from functions.heap import settle
from tests.benchmarks.measure import Row, alternate, ratio
from tests.fakes import KEY, ScriptedProvider, gateway, text_reply

Event = dict[str, Any]  # Any: API Gateway's event


def event(body: dict[str, object]) -> Event:
    """What a REST API sends its function, with the headers of an SDK."""
    headers = {
        "Accept": "application/json",
        "Content-Type": "application/json",
        "Host": "abc.execute-api.eu-central-1.amazonaws.com",
        "User-Agent": "Anthropic/Python 2.12.0",
        "anthropic-version": "2026-10-21",
        "authorization": f"Bearer {KEY}",
        "x-stainless-lang": "python",
        "x-stainless-package-version": "2.12.0",
    }
    return {
        "resource": "/{proxy+}",
        "path": "/v1/messages",
        "httpMethod": "POST",
        "headers": headers,
        "multiValueHeaders": {name: [value] for name, value in headers.items()},
        "queryStringParameters": None,
        "multiValueQueryStringParameters": None,
        "requestContext": {"identity": {"sourceIp": "203.0.113.7"}, "path": "/v1/messages", "httpMethod": "POST"},
        "body": json.dumps(body),
        "isBase64Encoded": False,
    }


def small_body() -> dict[str, object]:
    """1.5 KB: a system prompt and three turns."""
    turns = ["What is the capital of France? " * 14, "Paris is the capital of France. " * 13, "And of Italy? " * 24]
    return {
        "model": "claude-test",
        "max_tokens": 200,
        "system": "You answer briefly. " * 8,
        "messages": [{"role": ("user", "assistant")[i % 2], "content": text} for i, text in enumerate(turns)],
    }


def large_body() -> dict[str, object]:
    """800 KB: forty turns of twenty kilobytes, with line breaks and quotes as text has them."""
    page = 'He said: "The quick brown fox jumps over the lazy dog."\n' * 340
    return {
        "model": "claude-test",
        "max_tokens": 200,
        "messages": [{"role": ("user", "assistant")[i % 2], "content": page} for i in range(41)],
    }


async def _bare(scope: Scope, receive: Receive, send: Send) -> None:
    await receive()
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"application/json")]})
    await send({"type": "http.response.body", "body": b'{"type":"message"}'})


class _Body(BaseModel):
    model: str
    max_tokens: int
    messages: list[dict[str, str]]


def _fastapi_with_a_pydantic_body() -> FastAPI:
    app = FastAPI()

    @app.post("/v1/messages")
    async def post(body: _Body) -> dict[str, str]:
        return {"type": "message", "model": body.model}

    return app


def invocation(handler: Mangum, what: Event) -> Callable[[], object]:
    """A call of the handler with this event. Raises RuntimeError where it does not give a 200."""
    if handler(what, {})["statusCode"] != 200:  # type: ignore[arg-type]  # a context that nothing reads
        raise RuntimeError("the benchmark's own request fails")
    return lambda: handler(what, {})  # type: ignore[arg-type]  # as above


def run() -> list[Row]:
    """CPU of an invocation, small and large."""
    ours = Mangum(create_app(gateway(ScriptedProvider(text_reply("Rome.")))), lifespan="off")
    small, large = event(small_body()), event(large_body())
    works = {
        "bare": invocation(Mangum(_bare, lifespan="off"), small),
        "fastapi": invocation(Mangum(_fastapi_with_a_pydantic_body(), lifespan="off"), small),
        "ours": invocation(ours, small),
    }
    settle()  # as functions/api/handler.py does
    results = alternate(works, times=1000, rounds=9)
    micro = {name: median(values) * 1e6 for name, values in results.items()}
    against_bare = ratio(results["ours"], results["bare"])
    large_ms = median(alternate({"large": invocation(ours, large)}, times=20, rounds=9)["large"]) * 1e3
    return [
        Row("Mangum + bare ASGI, CPU of one invocation", f"{micro['bare']:.0f} µs"),
        Row("Mangum + FastAPI with a pydantic body, nothing else", f"{micro['fastapi']:.0f} µs"),
        Row(
            f"MegaLLM, {len(small['body'])} byte request, cached key, stubbed provider",
            f"{micro['ours']:.0f} µs = {against_bare:.2f}× bare",
            "≤ 6× bare",
            against_bare <= 6,
        ),
        Row(f"MegaLLM, {len(large['body']) // 1000} KB request", f"{large_ms:.2f} ms", "≤ 3 ms", large_ms <= 3),
    ]

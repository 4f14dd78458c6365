"""Requests through the app, for the tests of the metrics."""

import asyncio
from dataclasses import replace
from typing import Any

import httpx

from functions.api.app import create_app
from megallm.catalog.file_format import parse
from megallm.keys import KeyRecord, hash_of
from megallm.limits.unlimited import Unlimited
from megallm.operations.gateway import Gateway
from megallm.operations.ports import Limiter
from megallm.telemetry.embedded import EmbeddedMetrics
from tests.fakes import KEY_RECORD, MemoryKeys, ScriptedProvider, gateway

PRO_KEY = "mega_professi_" + "p" * 43
STACK = "megallm"

CATALOG = """
[providers.scripted]
kind = "embedded"

[providers.second]
kind = "embedded"

[[models]]
id = "claude-test"
display_name = "Test"
aliases = ["claude-test-latest"]
prices = { input = 3.0, output = 15.0, cache_read = 0.3, cache_write = 3.75 }
routes = [{ provider = "scripted", model = "m" }, { provider = "second", model = "m" }]

[[models]]
id = "claude-unpriced"
display_name = "Unpriced"
routes = [{ provider = "scripted", model = "m" }]
"""


def keys() -> MemoryKeys:
    """Of two tiers: ``tests.fakes.KEY`` is basic."""
    return MemoryKeys(KEY_RECORD, KeyRecord("professi", hash_of(PRO_KEY), "pro", "pro", created_at=1))


def measured(
    provider: ScriptedProvider | None = None, second: ScriptedProvider | None = None, limiter: Limiter | None = None
) -> Gateway:
    """A gateway as it is on AWS: two models, two keys of different tiers, and metrics in its log."""
    first = provider or ScriptedProvider()
    composed = gateway(first, keys=keys(), limiter=limiter or Unlimited())
    return replace(
        composed,
        catalog=parse(CATALOG, source="tests"),
        providers={"scripted": first, "second": second or first},
        metrics=EmbeddedMetrics(STACK),
    )


def message(model: str = "claude-test", **more: Any) -> dict[str, Any]:
    """The body of a request."""
    return {"model": model, "max_tokens": 50, "messages": [{"role": "user", "content": "Hi"}], **more}


def ask(gateway: Gateway, *bodies: object, key: str = PRO_KEY, path: str = "/v1/messages") -> list[int]:
    """The statuses of requests to the app, one after the other; without a body it is a GET."""

    async def send() -> list[int]:
        transport = httpx.ASGITransport(create_app(gateway))
        async with httpx.AsyncClient(transport=transport, base_url="http://gateway") as client:
            return [
                (
                    await client.request("GET" if body is None else "POST", path, json=body, headers={"x-api-key": key})
                ).status_code
                for body in bodies
            ]

    return asyncio.run(send())

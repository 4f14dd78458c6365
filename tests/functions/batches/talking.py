"""The app in this process, with batches in memory, and requests to it."""

import asyncio
import json
from collections.abc import AsyncIterator, Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import httpx

from functions.api.app import create_app
from megallm.batches.model import Batch, Counts, result_key
from megallm.keys import KeyRecord, hash_of
from megallm.operations.gateway import Gateway
from megallm.settings import Settings
from tests.batch_fakes import World
from tests.fakes import KEY, KEY_RECORD, MemoryKeys, gateway

Json = Any  # what goes over the wire

OTHER_KEY = "mega_otherkey_" + "o" * 43
PATH = "/v1/messages/batches"
BASE = "http://gateway.test"


def item(custom_id: str, **params: Json) -> Json:
    """One request of a batch."""
    return {"custom_id": custom_id, "params": {"model": "claude-test", "max_tokens": 5, "messages": [], **params}}


def gateway_of(world: World, settings: Settings | None = None) -> Gateway:
    """Two keys open it."""
    keys = MemoryKeys(KEY_RECORD, KeyRecord("otherkey", hash_of(OTHER_KEY), "other", "basic", created_at=1))
    return replace(gateway(keys=keys, settings=settings), batches=world.ports())


@dataclass
class Talk:
    """A world of batches, and a client of its gateway."""

    world: World = field(default_factory=World)
    composed: Gateway | None = None
    headers: Mapping[str, str] = field(default_factory=dict)

    def send(
        self,
        method: str,
        path: str = PATH,
        *,
        key: str | None = KEY,
        body: Json = None,
        content: bytes | AsyncIterator[bytes] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> httpx.Response:
        """One request; *body* becomes JSON, *content* is sent as it is."""
        sent = {**self.headers, **({"x-api-key": key} if key else {}), **(headers or {})}
        if body is not None:
            content = json.dumps(body).encode()
        app = create_app(self.composed or gateway_of(self.world))

        async def ask() -> httpx.Response:
            async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url=BASE) as client:
                return await client.request(method, path, headers=sent, content=content)

        return asyncio.run(ask())

    def create(self, *custom_ids: str, key: str = KEY) -> Json:
        """A new batch as its answer shows it."""
        answer = self.send("POST", body={"requests": [item(custom_id) for custom_id in custom_ids]}, key=key)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def batch(self, batch_id: str) -> Batch:
        """Its record."""
        return self.world.batches[batch_id]

    def end(self, batch_id: str, lines: Iterable[bytes] = (), counts: Counts | None = None) -> None:
        """As if workers and finisher had ended it."""
        batch = self.batch(batch_id)
        self.world.objects[result_key(batch_id, "results.jsonl")] = b"".join(lines)
        self.world.batches[batch_id] = replace(
            batch, state="ended", ended_at=batch.created_at + 60, counts=counts or Counts(succeeded=batch.total)
        )


def error_of(answer: httpx.Response) -> tuple[int, Json]:
    """Status and error, of an answer in the whole documented envelope."""
    envelope = answer.json()
    assert set(envelope) == {"type", "error", "request_id"}
    assert answer.headers["request-id"] == envelope["request_id"]
    return answer.status_code, envelope["error"]

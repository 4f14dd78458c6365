"""The batches behind a contract test's server: in memory, worked on when the test says so."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from megallm.keys import KeyRecord, hash_of
from megallm.operations.finish_batch import finish_batch
from megallm.operations.gateway import Gateway
from megallm.operations.run_part import Worker
from megallm.settings import Settings
from tests.batch_fakes import World
from tests.fakes import KEY_RECORD, MemoryKeys, ScriptedProvider, gateway

Json = Any  # what goes over the wire

OTHER_KEY = "mega_otherkey_" + "o" * 43


@dataclass
class BatchEngine:
    """Worker and finisher over a world in memory; each call of ``work`` is a run of both until nothing is left."""

    provider: ScriptedProvider = field(default_factory=ScriptedProvider)
    settings: Settings | None = None
    world: World = field(default_factory=World)

    @property
    def gateway(self) -> Gateway:
        """What the server and the worker are made of; two keys open it."""
        keys = MemoryKeys(KEY_RECORD, KeyRecord("otherkey", hash_of(OTHER_KEY), "other", "basic", created_at=1))
        composed = gateway(self.provider, keys=keys, settings=self.settings)
        return replace(composed, batches=self.world.ports())

    def work(self) -> None:
        """Until every part that was sent is done and every batch that is done has its files."""
        asyncio.run(self._work())

    async def _work(self) -> None:
        ports = self.world.ports()
        worker = Worker(self.gateway, ports, concurrency=8)
        while self.world.part_messages:
            await worker.run(*self.world.part_messages.pop(0))
        while self.world.finish_messages:
            batch_id = self.world.finish_messages.pop(0)
            finish_batch(ports, batch_id, self.world.batches[batch_id].created_at + 60)


def requests(custom_ids: Sequence[str], **params: Json) -> list[Json]:
    """Requests of a batch, each of which asks for its own id."""
    return [
        {
            "custom_id": custom_id,
            "params": {
                "model": "claude-test",
                "max_tokens": 100,
                "messages": [{"role": "user", "content": custom_id}],
                **params,
            },
        }
        for custom_id in custom_ids
    ]

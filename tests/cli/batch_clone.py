"""A folder whose local stack seems to run: a real local AWS and batch functions, a model that plays a script."""

import asyncio
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from megallm.composition.batch_ports import batch_ports
from megallm.composition.batches import compose_batches
from megallm.local import aws
from megallm.local.batches import LocalBatches
from megallm.local.isolation import REGION, local_target
from megallm.local.state import LocalState, StateFolder
from megallm.messages.calls import Call
from megallm.messages.requests import MessagesRequest
from megallm.operations.batch_ports import BatchPorts
from megallm.settings import Settings
from megallm.stores.keys import DynamoKeys
from tests.fakes import KEY, KEY_RECORD, ScriptedProvider, gateway
from tests.local.running import Ended, megallm

PATIENCE_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class BatchClone:
    """The folder, and the batches behind it. Nothing is worked on outside of ``working``."""

    folder: Path
    settings: Settings
    endpoint_url: str
    ports: BatchPorts
    queues: dict[str, str]

    def megallm(self, *arguments: str) -> Ended:
        """Runs a command inside the folder."""
        return megallm(self.folder, *arguments)

    @contextmanager
    def working(self, provider: ScriptedProvider) -> Iterator[None]:
        """The batch functions run meanwhile."""
        target = local_target(self.endpoint_url)
        composed = replace(gateway(provider, settings=self.settings), batches=self.ports)
        ready, thread_ends = threading.Event(), list[asyncio.Event]()
        loops: list[asyncio.AbstractEventLoop] = []

        async def run() -> None:
            end = asyncio.Event()
            batches = LocalBatches(
                compose_batches(self.settings, target, composed), target, self.queues, self.folder / "kept"
            )
            async with batches.running():
                loops.append(asyncio.get_running_loop())
                thread_ends.append(end)
                ready.set()
                await end.wait()

        thread = threading.Thread(target=lambda: asyncio.run(run()), name="batches")
        thread.start()
        assert ready.wait(PATIENCE_SECONDS)
        try:
            yield
        finally:
            loops[0].call_soon_threadsafe(thread_ends[0].set)
            thread.join(PATIENCE_SECONDS)
            assert not thread.is_alive()


@contextmanager
def batch_clone(folder: Path) -> Iterator[BatchClone]:
    """One key is there already."""
    local_aws = aws.start()
    try:
        resources = local_aws.create_resources()
        url = local_aws.endpoint_url  # Stands for the gateway as well: it answers.
        settings = Settings(
            batches_bucket=resources.bucket,
            **{f"{role}_queue_url": queue for role, queue in resources.queues.items()},  # type: ignore[arg-type]  # URLs
        )
        state = StateFolder(folder / ".megallm")
        state.create()
        names = (settings.keys_table, resources.bucket, resources.queues)
        state.save(LocalState(url, KEY, url, REGION, *names, "tiny", os.getpid()))
        target = local_target(url)
        DynamoKeys(target.dynamodb(), settings.keys_table).put(KEY_RECORD)
        ports = batch_ports(settings, target)
        assert ports is not None
        yield BatchClone(folder, settings, url, ports, resources.queues)
    finally:
        local_aws.stop()


def said(call: Call[MessagesRequest]) -> str:
    """The whole text of a request."""
    return str(call.request.messages[-1].content)

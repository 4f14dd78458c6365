"""Queues and events in memory: lists of what was sent and told."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from megallm.batches.model import Batch
from tests.batch_fakes.process import Process

if TYPE_CHECKING:
    from tests.batch_fakes.world import World


class MemoryQueues:
    """``BatchQueues`` as lists of messages."""

    def __init__(self, world: "World", process: Process) -> None:
        self._world = world
        self._process = process

    def send_parts(self, batch: Batch, numbers: Sequence[int], delay_seconds: int = 0) -> None:
        with self._process.effect("send parts"), self._world.lock:
            self._world.part_messages += [(batch.id, number) for number in numbers]
            self._world.delays += [delay_seconds for _ in numbers]

    def send_finish(self, batch_id: str) -> None:
        with self._process.effect("send finish"), self._world.lock:
            self._world.finish_messages.append(batch_id)

    def send_job(self, body: str) -> None:
        with self._process.effect("send job"), self._world.lock:
            self._world.job_messages.append(body)

    def intake_again(self, receipt: str, after_seconds: int) -> None:
        with self._process.effect("intake again"), self._world.lock:
            self._world.again.append((receipt, after_seconds))


class MemoryEvents:
    """``BatchEvents`` as a list."""

    def __init__(self, world: "World", process: Process) -> None:
        self._world = world
        self._process = process

    def ended(self, batch: Batch) -> None:
        with self._process.effect("tell"), self._world.lock:
            self._world.told.append(batch)

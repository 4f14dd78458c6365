"""What outlives the processes of a test: tables, objects, queues, and who was told."""

import threading
from collections.abc import Mapping
from dataclasses import dataclass, field

from megallm.batches.model import Batch, Part
from megallm.operations.batch_ports import BatchPorts
from tests.batch_fakes.objects import MemoryObjects
from tests.batch_fakes.process import Process
from tests.batch_fakes.queues import MemoryEvents, MemoryQueues
from tests.batch_fakes.records import MemoryBatches

BUCKET = "bucket"


@dataclass
class World:
    """What outlives a process: tables, objects, queues, and who was told."""

    batches: dict[str, Batch] = field(default_factory=dict)
    parts: dict[str, dict[int, Part]] = field(default_factory=dict)
    untold: set[str] = field(default_factory=set)
    objects: dict[str, bytes] = field(default_factory=dict)
    metadata: dict[str, Mapping[str, str]] = field(default_factory=dict)
    part_messages: list[tuple[str, int]] = field(default_factory=list)
    delays: list[int] = field(default_factory=list)
    finish_messages: list[str] = field(default_factory=list)
    job_messages: list[str] = field(default_factory=list)
    again: list[tuple[str, int]] = field(default_factory=list)
    told: list[Batch] = field(default_factory=list)
    lock: threading.RLock = field(default_factory=threading.RLock)

    def ports(self, process: Process | None = None) -> BatchPorts:
        """As one process sees the world."""
        process = process or Process()
        return BatchPorts(
            MemoryBatches(self, process),
            MemoryObjects(self, process),
            MemoryQueues(self, process),
            MemoryEvents(self, process),
            BUCKET,
        )

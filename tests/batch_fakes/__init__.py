"""Doubles of the batches' seams, in memory, whose process can be made to die before or after any of its effects."""

from tests.batch_fakes.objects import PIECE_BYTES, MemoryObjects, MemoryWriter, version_of
from tests.batch_fakes.process import Crash, Process
from tests.batch_fakes.queues import MemoryEvents, MemoryQueues
from tests.batch_fakes.records import MemoryBatches
from tests.batch_fakes.world import BUCKET, World

__all__ = [
    "BUCKET",
    "PIECE_BYTES",
    "Crash",
    "MemoryBatches",
    "MemoryEvents",
    "MemoryObjects",
    "MemoryQueues",
    "MemoryWriter",
    "Process",
    "World",
    "version_of",
]

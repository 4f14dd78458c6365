"""The process dies while it takes in a batch: there is none, or it goes on by itself."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Literal

import pytest

from megallm.batches.model import Batch, Part
from megallm.errors import InternalError
from megallm.operations.sweep_batches import INDEXING_SECONDS, sweep_batches
from tests.batch_fakes import Crash, MemoryQueues, Process, World
from tests.functions.batches.talking import Talk, gateway_of

EFFECTS = 6  # lines, record, parts, start, queue, note of that


def died(dies_at: int, when: Literal["before", "after"]) -> World:
    """The world after a process has died at that effect of taking in a batch of two requests."""
    world = World()
    talk = Talk(world, replace(gateway_of(world), batches=world.ports(Process(dies_at, when))))
    with pytest.raises(Crash):
        talk.create("a", "b")
    return world


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("dies_at", range(1, EFFECTS + 1))
def test_what_was_recorded_goes_on_and_what_was_not_never_was(dies_at: int, when: Literal["before", "after"]) -> None:
    """The sweeper indexes the same lines again, and sends what nobody has noted as sent."""
    world = died(dies_at, when)
    recorded = dies_at > 2 or (dies_at, when) == (2, "after")
    later = max((batch.created_at for batch in world.batches.values()), default=0.0) + INDEXING_SECONDS + 1

    sweep_batches(world.ports(), later)

    if not recorded:
        assert (world.batches, world.part_messages) == ({}, [])
        return
    (batch,) = world.batches.values()
    (part,) = world.parts[batch.id].values()
    assert (batch.state, batch.total, batch.parts, batch.lines) == ("in_progress", 2, 1, batch.source.key)
    assert part == Part(batch.id, 1, 0, batch.source.size, 1, 2, queued_at=part.queued_at)
    assert set(world.part_messages) == {(batch.id, 1)}


class _FullQueues(MemoryQueues):
    """Queues that take nothing."""

    def send_parts(self, batch: Batch, numbers: Sequence[int], delay_seconds: int = 0) -> None:
        raise InternalError("The queue did not answer")


def test_what_is_recorded_is_told_although_the_queue_fails() -> None:
    """After a 500 the SDKs would send the whole batch once more, and everything would be paid twice."""
    world = World()
    ports = replace(world.ports(), queues=_FullQueues(world, Process()))
    talk = Talk(world, replace(gateway_of(world), batches=ports))

    told = talk.create("a", "b")

    (batch,) = world.batches.values()
    assert (told["id"], told["processing_status"]) == (batch.id, "in_progress")
    sweep_batches(world.ports(), batch.created_at + 60)
    assert world.part_messages == [(batch.id, 1)]

"""The schedule: whatever got lost, every batch goes on."""

from dataclasses import replace

import pytest

from megallm.batches.model import LIFETIME_SECONDS
from megallm.errors import InternalError
from megallm.operations.batch_ports import BatchPorts
from megallm.operations.sweep_batches import sweep_batches
from tests.batch_fakes import MemoryQueues, Process, World
from tests.operations.batches.harness import Scene, message_lines, survives
from tests.operations.batches.upstream import Upstream


def test_a_part_whose_message_got_lost_is_sent_again_after_a_while() -> None:
    """Not before: it may well be in the queue."""
    scene = Scene()
    batch = scene.drop(message_lines(["a"]))
    scene.world.part_messages.clear()

    scene.time.seconds += 600
    scene.sweep()
    soon = list(scene.world.part_messages)
    scene.time.seconds += 600
    scene.sweep()
    scene.sweep()

    assert soon == []
    assert scene.world.part_messages == [(batch.id, 1)]


def test_a_part_whose_worker_died_is_sent_again_when_its_lease_is_over() -> None:
    """A lease that was not given back tells of a death."""
    scene = Scene(upstream=Upstream(seconds=1.0))
    batch = scene.drop(message_lines(["a"]))

    assert not survives(lambda: scene.work(Process(2)))
    scene.sweep()
    leased = list(scene.world.part_messages)
    scene.time.seconds += 61
    scene.sweep()
    scene.sweep()

    assert leased == []
    assert scene.world.part_messages == [(batch.id, 1)]


def test_a_batch_whose_finisher_was_not_told_is_finished() -> None:
    """All parts are done, and nobody knows: the finisher is told again. Told more often, it ends the batch once."""
    scene = Scene()
    scene.drop(message_lines(["a"]))
    scene.work()
    scene.world.finish_messages.clear()

    scene.sweep()
    scene.sweep()
    scene.finish()
    scene.sweep()

    assert scene.batch().state == "ended"
    assert scene.world.told == [scene.batch()]
    assert scene.world.finish_messages == []


def test_a_batch_whose_intake_died_is_indexed() -> None:
    """Once no intake can be at it any more."""
    scene = Scene()
    assert not survives(lambda: scene.drop(message_lines(["a"]), process=Process(2)))

    scene.sweep()
    soon = scene.batch().state
    scene.time.seconds += 1300
    scene.sweep()
    scene.to_the_end()

    assert soon == "indexing"
    assert scene.results() == [("id-1", "re: a")]


def test_a_dry_run_that_died_is_not_sent_to_work() -> None:
    """It is counted again."""
    scene = Scene()
    dry = {"dry-run": "true"}
    assert not survives(lambda: scene.drop(message_lines(["a"]), metadata=dry, process=Process(4)))

    scene.time.seconds += 1300
    scene.sweep()

    assert scene.batch().state == "ended"
    assert scene.upstream.calls == []


def test_an_input_that_nobody_could_read_for_a_day_is_refused() -> None:
    """The batch ends."""
    scene = Scene()
    assert not survives(lambda: scene.drop(message_lines(["a"]), process=Process(2)))
    scene.time.seconds += LIFETIME_SECONDS

    scene.sweep()

    assert scene.batch().state == "ended"
    assert scene.batch().problem


class _Broken(MemoryQueues):
    def __init__(self, world: World, broken_id: str) -> None:
        super().__init__(world, Process())
        self._broken_id = broken_id

    def send_parts(self, batch: object, numbers: object, delay_seconds: int = 0) -> None:
        assert hasattr(batch, "id")
        if batch.id == self._broken_id:
            raise InternalError("The queue failed")
        super().send_parts(batch, numbers, delay_seconds)  # type: ignore[arg-type]  # as they came


def test_a_batch_that_fails_stops_no_other_and_the_failure_is_told() -> None:
    """So that an alarm can tell of it."""
    scene = Scene()
    first, second = scene.drop(message_lines(["a"])), scene.drop(message_lines(["b"]))
    broken, other = sorted([first.id, second.id])
    scene.world.part_messages.clear()
    scene.time.seconds += 1000
    ports: BatchPorts = replace(scene.world.ports(), queues=_Broken(scene.world, broken))

    with pytest.raises(InternalError):
        sweep_batches(ports, scene.clock())

    assert scene.world.part_messages == [(other, 1)]

"""What an attempt writes to the records of its part and batch, while others write to them too."""

import asyncio
import logging
from collections.abc import Mapping
from dataclasses import replace

import pytest

from megallm.batches.model import Counts, Part, Spent
from megallm.catalog.models import Prices
from megallm.errors import InternalError
from megallm.messages.events import Usage
from megallm.operations.batch_watch import BatchWatch
from megallm.operations.part_ledger import LeaseLost, PartLedger
from megallm.operations.part_recorder import PartRecorder
from megallm.operations.part_segments import Closed, uncounted_among
from megallm.telemetry import fields_of
from tests.batch_fakes import MemoryBatches, Process
from tests.operations.batches.harness import BEGIN, Scene, inline, message_lines

ONE = Spent(10, 5, 7, 1)
NOTHING: Mapping[str, Spent] = {}


def scene_and_part(metadata: Mapping[str, str] | None = None) -> tuple[Scene, Part]:
    scene = Scene()
    batch = scene.drop(message_lines(["a", "b"]), metadata=metadata)
    part = scene.world.ports().store.claim(batch.id, 1, now=BEGIN, lease_seconds=60)
    assert part is not None
    return scene, part


def ledger_of(
    scene: Scene, part: Part, uncounted: Mapping[str, Spent] = NOTHING, store: MemoryBatches | None = None
) -> tuple[PartLedger, BatchWatch]:
    store = store or MemoryBatches(scene.world, Process())
    watch = BatchWatch(scene.batch(), store, scene.clock, inline())
    return PartLedger(part, watch, store, inline(), uncounted), watch


def test_what_others_counted_meanwhile_is_not_counted_again() -> None:
    """The attempt before was not dead, and counts its segment itself, just before this one does."""
    scene, old = scene_and_part()
    store = scene.world.ports().store
    new = store.claim(old.batch_id, 1, now=BEGIN + 60, lease_seconds=60)
    assert new is not None
    ledger, _ = ledger_of(scene, new, {"0001-000000": ONE, "0001-000001": ONE})
    known_before = ledger.unrecorded
    store.add_late(old, "0001-000000", ONE)

    scene.run(ledger.checkpoint(ONE, 1))
    store.add_late(old, "0001-000001", ONE)

    assert scene.batch().spent == Spent(30, 15, 21, 3)
    assert known_before == 14
    assert ledger.part.late == {"0001-000000", "0001-000001"}


def test_a_record_that_is_read_before_its_checkpoint_is_answered_stops_nothing() -> None:
    """What was spent is in the record then and still the attempt's own: it is one sum, and less than the limit."""
    scene, part = scene_and_part({"max-cost": "0.0001"})
    ledger, watch = ledger_of(scene, part)
    ledger.spent(60)

    scene.world.ports().store.checkpoint(part, Spent(microdollars=60, calls=1), finished=1)
    watch.saw(scene.batch())

    assert (watch.batch.max_microdollars, watch.batch.spent.microdollars) == (100, 60)
    assert watch.reason() is None


def test_the_end_of_a_part_counts_what_is_new_as_well() -> None:
    """The last segment is always among it."""
    scene, part = scene_and_part()
    ledger, _ = ledger_of(scene, part)
    ledger.spent(7)
    scene.world.ports().store.add_late(part, "0000-000000", ONE)

    closed = Closed(Counts(succeeded=2), {"0000-000000": ONE, "0001-000000": ONE})
    batch = scene.run(ledger.complete(closed))

    assert (batch.spent, batch.committed, batch.finished) == (Spent(20, 10, 14, 2), 14, 2)
    assert ledger.unrecorded == 0


def test_writes_of_one_attempt_follow_each_other() -> None:
    """Money that is wanted while a checkpoint is written: each of them knows what the other one has done."""
    scene, part = scene_and_part()
    ledger, _ = ledger_of(scene, part)

    async def all_at_once() -> list[object]:
        holds = [ledger.hold(50, 1000) for _ in range(3)]
        return list(await asyncio.gather(*holds, ledger.checkpoint(ONE, 1), ledger.hold(-20, 1000)))

    answers = scene.run(all_at_once())

    assert answers == [True, True, True, None, True]
    assert (ledger.part.held, scene.batch().committed) == (123, 130)


def test_a_record_that_changes_all_the_time_is_our_fault() -> None:
    """The message goes back to its queue then."""
    scene, part = scene_and_part()

    class Restless(MemoryBatches):
        def checkpoint(self, part: Part, *args: object, **others: object) -> Part | None:
            return super().checkpoint(replace(part, held=part.held + 1), Spent(), finished=0)

    ledger, _ = ledger_of(scene, part, store=Restless(scene.world, Process()))

    with pytest.raises(InternalError):
        scene.run(ledger.checkpoint(ONE, 1))


def test_an_attempt_that_lost_its_part_holds_and_counts_nothing() -> None:
    """Each of its writes tells."""
    scene, part = scene_and_part()
    scene.world.ports().store.claim(part.batch_id, 1, now=BEGIN + 60, lease_seconds=60)
    ledger, _ = ledger_of(scene, part)

    async def lost() -> None:
        for write in (ledger.hold(5, 100), ledger.checkpoint(ONE, 1), ledger.complete(Closed(Counts(2), {}))):
            with pytest.raises(LeaseLost):
                await write

    scene.run(lost())

    assert scene.batch().spent == Spent()


@pytest.mark.parametrize(
    ("segments", "late", "uncounted"),
    [
        (0, (), ["0001-000000", "0001-000001", "0002-000001", "0003-000002"]),
        (1, (), ["0001-000001", "0002-000001", "0003-000002"]),
        (2, (), ["0001-000001", "0003-000002"]),
        (2, ("0001-000001", "0003-rest"), ["0003-000002"]),
        (3, (), ["0001-000001"]),
    ],
)
def test_of_segments_with_one_number_the_latest_attempts_is_the_counted_one(
    segments: int, late: tuple[str, ...], uncounted: list[str]
) -> None:
    """The first attempt wrote its second segment when it had lost the part to the second one."""
    keys = [f"work/b/000001/{name}.jsonl" for name in ("0001-000000", "0001-000001", "0002-000001", "0003-000002")]
    part = Part("b", 1, 0, 1, 1, 4, attempt=3, segments=segments, late=frozenset(late))

    assert sorted(uncounted_among(keys, part)) == uncounted


def test_spending_that_no_store_takes_is_in_the_log(caplog: pytest.LogCaptureFixture) -> None:
    """The lease is lost and the table away: nothing else would tell that the upstream's bill is higher."""
    scene, part = scene_and_part()

    class Away(MemoryBatches):
        def add_late(self, part: Part, name: str, spent: Spent) -> None:
            raise InternalError("away")

    ports = replace(scene.world.ports(), store=Away(scene.world, Process()))
    watch = BatchWatch(scene.batch(), ports.store, scene.clock, inline())
    recorder = PartRecorder(part, watch, ports, inline())
    recorder.spent(Usage(input_tokens=1_000_000), Prices(input=3.0, output=15.0))

    with caplog.at_level(logging.ERROR, "megallm"):
        scene.run(recorder.leave())

    told = [(record.getMessage(), fields_of(record)) for record in caplog.records]
    assert told == [("spending_not_recorded", {"batch_id": part.batch_id, "part": 1, "microdollars": 3_000_000})]

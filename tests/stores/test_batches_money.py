"""The money and the progress of a batch in every store: in memory, and on DynamoDB, by moto."""

from collections.abc import Callable
from dataclasses import replace

import pytest

from megallm.batches.model import Batch, Counts, Part
from megallm.operations.batch_ports import BatchStore, PartChanged
from tests.stores.batch_tables import BATCH, COUNTS, NOW, PARTS, SPENT


def started(store: BatchStore) -> None:
    store.create(BATCH)
    store.add_parts(PARTS)
    store.start(BATCH.id, total=5, parts=2, lines=BATCH.source.key, lines_version="v1")


def claimed(store: BatchStore, number: int = 1, now: float = NOW) -> Part:
    part = store.claim(BATCH.id, number, now=now, lease_seconds=60)
    assert part is not None
    return part


def of(store: BatchStore) -> Batch:
    batch = store.get(BATCH.id)
    assert batch is not None
    return batch


def test_finished_items_are_counted_once_over_checkpoints_and_attempts(store: BatchStore) -> None:
    """A later attempt tells all that have ended so far, those of earlier ones included."""
    started(store)
    first = store.checkpoint(claimed(store), SPENT, finished=2)
    assert first is not None
    store.release(first)
    second = store.checkpoint(claimed(store), SPENT, finished=2)
    assert second is not None

    after_two = of(store).finished
    store.complete(second, COUNTS, SPENT)

    assert (first.finished, second.finished, after_two) == (2, 2, 2)
    assert of(store).finished == PARTS[0].items


def test_money_is_held_within_the_limit(store: BatchStore) -> None:
    """By whichever part; what does not fit is refused, and changes nothing."""
    started(store)
    one, two = claimed(store, 1), claimed(store, 2)

    first = store.hold(one, 60, 100)
    refused = store.hold(two, 41, 100)
    second = store.hold(two, 40, 100)

    assert first == replace(one, held=60) == store.part(BATCH.id, 1)
    assert (refused, second) == (two, replace(two, held=40))
    assert of(store).committed == 100


def test_what_was_spent_comes_out_of_what_is_held(store: BatchStore) -> None:
    """As far as that goes; what was spent beyond it is committed as well."""
    started(store)
    part = store.hold(claimed(store), 10, 100)
    assert part is not None

    part = store.checkpoint(part, SPENT, finished=1)
    assert part is not None
    first = (part.held, of(store).committed)
    part = store.checkpoint(part, SPENT, finished=2)
    assert part is not None

    assert (first, part.held, of(store).committed) == ((3, 10), 0, 14)


def test_money_is_given_back_by_the_part_that_does_not_need_it(store: BatchStore) -> None:
    """In part, with its release, and with its end."""
    started(store)
    one, two = store.hold(claimed(store, 1), 60, 100), store.hold(claimed(store, 2), 40, 100)
    assert one is not None
    assert two is not None

    less = store.hold(one, -20, 100)
    assert less is not None
    in_part = of(store).committed
    store.release(less)
    released = of(store).committed
    store.complete(two, Counts(succeeded=2), SPENT)

    assert (less.held, in_part, released, of(store).committed) == (40, 80, 40, 7)
    assert [part.held for part in store.parts(BATCH.id)] == [0, 0]


def test_a_later_attempt_inherits_what_a_dead_one_held(store: BatchStore) -> None:
    """And the dead one, should it live, has nothing of it any more."""
    started(store)
    old = store.hold(claimed(store), 60, 100)
    assert old is not None
    new = claimed(store, now=NOW + 60)

    late = store.hold(old, 10, 100)
    store.release(old)

    assert (new.attempt, new.held, late) == (2, 60, None)
    assert (store.part(BATCH.id, 1), of(store).committed) == (new, 60)


def test_a_part_that_is_not_as_it_was_given_is_told_as_it_is(store: BatchStore) -> None:
    """The answer to a hold was lost: nothing is written by what was known before it."""
    started(store)
    part = claimed(store)
    held = store.hold(part, 60, 100)
    before = of(store)
    stale: list[Callable[[], object]] = [
        lambda: store.hold(part, 10, 100),
        lambda: store.checkpoint(part, SPENT, finished=1),
        lambda: store.complete(part, COUNTS, SPENT),
    ]

    for write in stale:
        with pytest.raises(PartChanged) as changed:
            write()

        assert changed.value.part == held
    assert of(store) == before


def test_what_attempts_could_not_count_is_counted_once_a_name(store: BatchStore) -> None:
    """By the attempt itself or by a later one, with a checkpoint or with the end; also after that."""
    started(store)
    old = claimed(store)
    new = claimed(store, now=NOW + 60)

    store.add_late(old, "0001-000000", SPENT)
    with pytest.raises(PartChanged) as changed:
        store.checkpoint(new, SPENT.plus(SPENT), finished=1, late=["0001-000000"])
    new = changed.value.part
    counted = store.checkpoint(new, SPENT.plus(SPENT), finished=1, late=["0001-000001"])
    assert counted is not None
    store.add_late(old, "0001-000001", SPENT)
    with pytest.raises(PartChanged):
        store.complete(counted, COUNTS, SPENT, late=["0001-000001"])
    store.complete(counted, COUNTS, SPENT, late=["0002-000001"])
    for _ in range(2):
        store.add_late(old, "0001-rest", SPENT)

    assert new.late == {"0001-000000"}
    assert counted.late == {"0001-000000", "0001-000001"}
    assert (of(store).spent.calls, of(store).committed) == (5 * SPENT.calls, 5 * SPENT.microdollars)

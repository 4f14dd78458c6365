"""What every store of batches does: the one in memory, which other tests use, and DynamoDB's, on moto."""

from dataclasses import replace

import pytest

from megallm.batches.model import Batch, Counts, Part
from megallm.operations.batch_ports import BatchStore
from tests.stores.batch_tables import BATCH, COUNTS, NOW, PARTS, SPENT, numbered


def started(store: BatchStore, batch: Batch = BATCH) -> Batch:
    store.create(batch)
    store.add_parts([replace(part, batch_id=batch.id) for part in PARTS])
    return store.start(batch.id, total=5, parts=2, lines=batch.source.key, lines_version="v1")


def claimed(store: BatchStore, number: int = 1, now: float = NOW) -> Part:
    part = store.claim(BATCH.id, number, now=now, lease_seconds=60)
    assert part is not None
    return part


def of(store: BatchStore) -> Batch:
    batch = store.get(BATCH.id)
    assert batch is not None
    return batch


def test_a_new_batch_is_there_in_its_owners_list_and_open(store: BatchStore) -> None:
    """All of it comes back as it was."""
    made = store.create(BATCH)

    assert (made, store.get(BATCH.id)) == (BATCH, BATCH)
    assert store.list("operator", limit=5, after_id=None, before_id=None) == ([BATCH], False)
    assert list(store.open()) == [BATCH]


def test_a_batch_made_again_is_the_one_that_is_there(store: BatchStore) -> None:
    """However far that has come; it is not opened again."""
    started(store)
    store.end(BATCH.id, NOW + 5)
    store.told(BATCH.id)

    again = store.create(replace(BATCH, created_at=NOW + 9))

    assert again == store.get(BATCH.id)
    assert (again.state, again.created_at) == ("ended", NOW)
    assert list(store.open()) == []


def test_nothing_is_known_of_a_batch_that_is_not_there(store: BatchStore) -> None:
    """None of these is an error."""
    assert store.get("msgbatch_none") is None
    assert store.part("msgbatch_none", 1) is None
    assert list(store.parts("msgbatch_none")) == []
    assert store.claim("msgbatch_none", 1, now=NOW, lease_seconds=60) is None
    assert store.stop("msgbatch_none", "canceled", NOW) is None
    assert store.list("nobody", limit=5, after_id=None, before_id=None) == ([], False)


def test_indexed_parts_come_back_in_order_and_the_batch_is_in_progress(store: BatchStore) -> None:
    """With what the index found out."""
    begun = started(store)

    assert begun == replace(
        BATCH, state="in_progress", total=5, parts=2, lines="inbox/translate/de/a.jsonl", lines_version="v1"
    )
    assert store.get(BATCH.id) == begun
    assert list(store.parts(BATCH.id)) == list(PARTS)
    assert store.part(BATCH.id, 2) == PARTS[1]


def test_parts_added_again_change_nothing(store: BatchStore) -> None:
    """Neither while the batch is indexed nor when a worker has one."""
    store.create(BATCH)
    store.add_parts(PARTS[:1])
    store.add_parts(PARTS)
    store.start(BATCH.id, total=5, parts=2, lines="l", lines_version="v")
    part = claimed(store)

    store.add_parts(PARTS)

    assert list(store.parts(BATCH.id)) == [part, PARTS[1]]


def test_more_parts_than_a_transaction_holds_are_all_recorded(store: BatchStore) -> None:
    """DynamoDB takes 100 writes at once."""
    parts = [Part(BATCH.id, number, number, number + 1, number, 1) for number in range(1, 121)]
    store.create(BATCH)

    store.add_parts(parts)

    assert list(store.parts(BATCH.id)) == parts


def test_a_batch_started_again_stays_as_it_is(store: BatchStore) -> None:
    """A repeated intake may have other ideas of it."""
    begun = started(store)

    again = store.start(BATCH.id, total=99, parts=9, lines="x", lines_version="y")

    assert again == begun


def test_a_refused_batch_has_ended_with_its_problem(store: BatchStore) -> None:
    """The first problem and the first time stand."""
    store.create(BATCH)

    refused = [store.refuse(BATCH.id, problem, NOW + at) for at, problem in enumerate(["It is empty", "other"])]

    assert refused == [replace(BATCH, state="ended", problem="It is empty", ended_at=NOW)] * 2


def test_a_batch_in_progress_is_not_refused(store: BatchStore) -> None:
    """That is only for an input that cannot be indexed."""
    begun = started(store)

    assert store.refuse(BATCH.id, "late", NOW) == begun
    assert list(store.open()) == [begun]


def test_a_part_is_claimed_by_one_until_its_lease_ends(store: BatchStore) -> None:
    """Each claim is a further attempt."""
    started(store)

    first = claimed(store)
    during = store.claim(BATCH.id, 1, now=NOW + 59, lease_seconds=60)
    after = store.claim(BATCH.id, 1, now=NOW + 60, lease_seconds=60)

    assert first == replace(PARTS[0], attempt=1, leased_until=NOW + 60)
    assert during is None
    assert after == replace(PARTS[0], attempt=2, leased_until=NOW + 120) == store.part(BATCH.id, 1)


def test_a_renewed_lease_keeps_others_out(store: BatchStore) -> None:
    """It counts from the moment of the renewal."""
    started(store)
    part = claimed(store)

    renewed = store.renew(part, now=NOW + 50, lease_seconds=60)

    assert renewed is True
    assert store.claim(BATCH.id, 1, now=NOW + 100, lease_seconds=60) is None


def test_a_released_part_can_be_claimed_at_once(store: BatchStore) -> None:
    """Released twice, or by an older attempt, it makes no difference."""
    started(store)
    first = claimed(store)
    store.release(first)
    second = claimed(store, now=NOW + 1)

    store.release(first)

    assert second.attempt == 2
    assert store.claim(BATCH.id, 1, now=NOW + 2, lease_seconds=60) is None


def test_an_attempt_that_begins_and_is_released_tells_how_it_ended(store: BatchStore) -> None:
    """In between it counts as dead; a released part was never sent. A later attempt is not spoken for."""
    started(store)
    store.queued(BATCH.id, [1], NOW)
    first = claimed(store)

    begun = store.begin(first, deaths=1, begun_with=2)
    running = store.part(BATCH.id, 1)
    store.release(first, deaths=0)
    released = store.part(BATCH.id, 1)
    second = claimed(store, now=NOW + 1)
    late = store.begin(first, deaths=9, begun_with=9)
    store.release(first, deaths=9)

    assert (begun, late) == (True, False)
    assert running == replace(first, deaths=1, begun_with=2)
    assert released == replace(first, leased_until=0.0, queued_at=0.0, begun_with=2)
    assert store.part(BATCH.id, 1) == second


def test_a_part_is_released_whatever_it_was_believed_to_hold(store: BatchStore) -> None:
    """The answer to a hold was lost: all of it goes back."""
    started(store)
    part = claimed(store)
    store.hold(part, 60, 100)

    store.release(part)

    assert of(store).committed == 0
    assert store.claim(BATCH.id, 1, now=NOW + 1, lease_seconds=60) is not None


def test_a_checkpoint_counts_once(store: BatchStore) -> None:
    """Told twice, as after a lost answer: one segment, spent once."""
    started(store)
    part = claimed(store)

    answers = [store.checkpoint(part, SPENT, finished=2) for _ in range(2)]

    assert answers == [replace(part, segments=1, finished=2)] * 2
    batch = store.get(BATCH.id)
    assert batch is not None
    assert batch.spent == SPENT


def test_checkpoints_follow_each_other(store: BatchStore) -> None:
    """A later attempt goes on counting."""
    started(store)
    first = store.checkpoint(claimed(store), SPENT, finished=1)
    assert first is not None
    store.release(first)
    second = claimed(store)

    last = store.checkpoint(second, SPENT, finished=2)

    assert second.segments == 1
    assert last == replace(second, segments=2, finished=2)


def test_an_attempt_that_lost_its_part_writes_nothing(store: BatchStore) -> None:
    """Its lease ran out, and another one has begun."""
    begun = started(store)
    old = claimed(store)
    new = claimed(store, now=NOW + 60)

    answers = [
        store.checkpoint(old, SPENT, finished=1),
        store.complete(old, COUNTS, SPENT),
        store.renew(old, now=NOW + 61, lease_seconds=60),
    ]

    assert answers == [None, None, False]
    assert (store.get(BATCH.id), store.part(BATCH.id, 1)) == (begun, new)


def test_a_completed_part_is_counted_once(store: BatchStore) -> None:
    """Told twice: once in the numbers, and nobody can claim it, renew it or add to it."""
    begun = started(store)
    part = claimed(store)

    first = store.complete(part, COUNTS, SPENT)
    store.complete(part, COUNTS, SPENT)

    counted = replace(begun, parts_done=1, finished=3, counts=COUNTS, spent=SPENT, committed=7)
    assert first == store.get(BATCH.id) == counted
    assert store.claim(BATCH.id, 1, now=NOW + 999, lease_seconds=60) is None
    assert store.renew(part, now=NOW, lease_seconds=60) is False
    assert store.checkpoint(part, SPENT, finished=3) is None
    done = store.part(BATCH.id, 1)
    assert done is not None
    assert (done.done, done.attempt) == (True, 1)


def test_the_last_part_makes_the_batch_complete(store: BatchStore) -> None:
    """Whoever completes it sees that."""
    started(store)

    batches = [store.complete(claimed(store, number), Counts(succeeded=number), SPENT) for number in (1, 2)]

    assert [(batch.parts_done, batch.counts.succeeded) for batch in batches if batch is not None] == [(1, 1), (2, 3)]


def test_queued_parts_have_their_time(store: BatchStore) -> None:
    """The sweeper goes by it."""
    started(store)

    store.queued(BATCH.id, [1, 2], NOW + 5)

    assert [part.queued_at for part in store.parts(BATCH.id)] == [NOW + 5, NOW + 5]


def test_the_first_reason_to_stop_stands(store: BatchStore) -> None:
    """Asked again, for another reason, later."""
    begun = started(store)

    answers = [store.stop(BATCH.id, "max_cost", NOW + 1), store.stop(BATCH.id, "canceled", NOW + 2)]

    assert answers == [replace(begun, state="canceling", stop="max_cost", stop_requested_at=NOW + 1)] * 2


def test_a_batch_stopped_while_it_is_indexed_is_canceling_as_soon_as_it_starts(store: BatchStore) -> None:
    """Its items still get their results, all of them canceled."""
    store.create(BATCH)

    stopped = store.stop(BATCH.id, "canceled", NOW + 1)
    begun = store.start(BATCH.id, total=5, parts=2, lines="l", lines_version="v")

    assert stopped == replace(BATCH, stop="canceled", stop_requested_at=NOW + 1)
    assert begun == replace(stopped, state="canceling", total=5, parts=2, lines="l", lines_version="v")


@pytest.mark.parametrize("stopped", [False, True])
def test_an_ended_batch_stays_so(store: BatchStore, *, stopped: bool) -> None:
    """The first end stands, and nothing stops it afterwards."""
    started(store)
    if stopped:
        store.stop(BATCH.id, "canceled", NOW)

    ended = [store.end(BATCH.id, NOW + at) for at in (5, 6)]
    late = store.stop(BATCH.id, "expired", NOW + 7)

    assert (ended[0].state, ended[0].ended_at) == ("ended", NOW + 5)
    assert ended[1] == late == ended[0]


def test_a_batch_stays_open_until_somebody_was_told_of_its_end(store: BatchStore) -> None:
    """Both kinds of end; told once more changes nothing."""
    started(store)
    refused = replace(BATCH, id="msgbatch_000000000000000000000002")
    store.create(refused)

    ends = [store.end(BATCH.id, NOW + 5), store.refuse(refused.id, "It is empty", NOW)]
    untold = [store.untold(batch.id) for batch in ends]
    still_open = list(store.open())
    for batch in (*ends, *ends):
        store.told(batch.id)

    assert still_open == ends
    assert untold == [True, True]
    assert list(store.open()) == []
    assert [store.untold(batch.id) for batch in ends] == [False, False]
    assert [store.get(batch.id) for batch in ends] == ends


def test_a_list_is_the_owners_own_the_newest_first(store: BatchStore) -> None:
    """Nobody sees another one's."""
    for number in (1, 3, 2):
        store.create(numbered(number))
    store.create(numbered(9, owner="somebody"))

    page, more = store.list("operator", limit=2, after_id=None, before_id=None)

    assert (page, more) == ([numbered(3), numbered(2)], True)


def test_the_pages_of_a_list_follow_from_a_batch_in_both_directions(store: BatchStore) -> None:
    """Either way the newest comes first."""
    for number in range(1, 6):
        store.create(numbered(number))
    ids = {number: numbered(number).id for number in range(1, 6)}

    def numbers(after: int | None, before: int | None, limit: int) -> tuple[list[int], bool]:
        after_id, before_id = (ids.get(number or 0) for number in (after, before))
        page, more = store.list("operator", limit=limit, after_id=after_id, before_id=before_id)
        return [int(batch.id[-1]) for batch in page], more

    assert numbers(after=4, before=None, limit=2) == ([3, 2], True)
    assert numbers(after=3, before=None, limit=2) == ([2, 1], False)
    assert numbers(after=None, before=2, limit=2) == ([4, 3], True)
    assert numbers(after=None, before=3, limit=2) == ([5, 4], False)
    assert numbers(after=None, before=5, limit=2) == ([], False)


def test_a_cursor_that_is_no_batch_of_the_owner_leads_nowhere(store: BatchStore) -> None:
    """It would tell of somebody else's time otherwise."""
    store.create(numbered(1))
    store.create(numbered(2, owner="somebody"))

    assert store.list("operator", limit=5, after_id=numbered(2).id, before_id=None) == ([], False)
    assert store.list("operator", limit=5, after_id=None, before_id="msgbatch_none") == ([], False)


def test_a_list_of_more_batches_than_one_read_gives_is_whole(store: BatchStore) -> None:
    """DynamoDB gives 100 items at a time."""
    batches = [numbered(number) for number in range(105)]
    for batch in batches:
        store.create(batch)

    page, more = store.list("operator", limit=103, after_id=None, before_id=None)

    assert (page, more) == (batches[:1:-1], True)
    assert sorted(store.open(), key=lambda batch: batch.id) == batches


def test_a_deleted_batch_leaves_nothing(store: BatchStore) -> None:
    """Deleted twice, it makes no difference."""
    started(store)
    ended = store.end(BATCH.id, NOW)

    for _ in range(2):
        store.delete(ended)

    assert (store.get(BATCH.id), list(store.parts(BATCH.id))) == (None, [])
    assert store.list("operator", limit=5, after_id=None, before_id=None) == ([], False)

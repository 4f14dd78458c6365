"""A batch as its operator sees it: found by its id, listed among everybody's, followed to its end, stopped."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from heapq import merge
from itertools import islice

from megallm.batches.model import Batch
from megallm.errors import InvalidRequest, NotFound
from megallm.operations.batch_ports import BatchPorts, BatchStore
from megallm.operations.cancel_batch import cancel

POLL_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a batch is: ``done`` of ``total`` items have ended."""

    done: int
    total: int
    items_a_second: float
    seconds_left: float | None


def find_batch(store: BatchStore, batch_id: str) -> Batch:
    """Anybody's batch. Raises NotFound."""
    batch = store.get(batch_id)
    if batch is None:
        raise NotFound(f"There is no batch with the id {batch_id}")
    return batch


def stop_batch(ports: BatchPorts, batch_id: str, now: float) -> Batch:
    """The batch, which begins nothing new any more. Raises NotFound, or InvalidRequest for one that has ended."""
    batch = find_batch(ports.store, batch_id)
    if batch.state == "ended":
        raise InvalidRequest(f"The batch {batch_id} has ended")
    return cancel(ports, batch_id, now) or batch


def newest_batches(store: BatchStore, owners: Iterable[str], limit: int) -> list[Batch]:
    """The batches of all these owners, the newest first."""
    each = [store.list(owner, limit=limit, after_id=None, before_id=None)[0] for owner in owners]
    return list(islice(merge(*each, key=lambda batch: (batch.created_at, batch.id), reverse=True), limit))


def follow_batch(store: BatchStore, batch_id: str, sleep: Callable[[float], None]) -> Iterator[Batch | None]:
    """The record again and again until the batch has ended; None as long as the intake has not taken it."""
    while True:
        batch = store.get(batch_id)
        yield batch
        if batch is not None and batch.state == "ended":
            return
        sleep(POLL_SECONDS)


def done_of(batch: Batch) -> int:
    """The items that have ended, as of each part's latest checkpoint."""
    return batch.counts.total if batch.state == "ended" else batch.finished


class Speed:
    """How fast a batch is while somebody watches: told of each record, it knows its progress."""

    def __init__(self) -> None:
        self._first: tuple[float, int] | None = None

    def progress(self, batch: Batch, now: float) -> Progress:
        """*now* is a moment of any clock that only goes forward."""
        done = done_of(batch)
        if self._first is None:
            self._first = (now, done)
        since, before = self._first
        rate = (done - before) / (now - since) if now > since else 0.0
        return Progress(done, batch.total, rate, (batch.total - done) / rate if rate > 0 else None)

"""The seams of the batch operations: records, objects, queues, and who is told of an end.

Their methods block: an operation on an event loop calls them in a thread. Each raises InternalError where AWS fails.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from megallm.batches.model import Batch, Counts, Part, Spent, StopReason


class ObjectChanged(Exception):
    """The object is gone, or no longer in the version that was asked for."""


class PartChanged(Exception):
    """Nothing was written: the attempt still has the part, but not as it was given. ``part`` is as of now."""

    def __init__(self, part: Part) -> None:
        super().__init__(part)
        self.part = part


@dataclass(frozen=True, slots=True)
class ObjectHead:
    """What is known of an object without reading it."""

    key: str
    version: str
    size: int
    metadata: Mapping[str, str]


class ObjectWriter(Protocol):
    """A new object, written piece by piece; it exists once it is committed, and not at all otherwise."""

    def write(self, piece: bytes) -> None:
        """Adds bytes; any number, memory stays flat."""

    def commit(self) -> str:
        """The object is whole and replaces what had its key; gives its version."""

    def abort(self) -> None:
        """Throws away what was written."""


class ObjectStore(Protocol):
    """The one bucket. A version is S3's id of it, or the quoted ETag where the bucket keeps none; "" is the latest."""

    def head(self, key: str, version: str = "") -> ObjectHead | None:
        """None where there is no such object."""

    def read(self, key: str, start: int, end: int, version: str = "") -> bytes:
        """The bytes from *start* up to, not including, *end*. Raises ObjectChanged."""

    def stream(self, key: str, version: str = "") -> Iterator[bytes]:
        """The whole object in pieces of about a mebibyte. Raises ObjectChanged."""

    def put(self, key: str, body: bytes) -> str:
        """Writes an object, in place of what had its key; gives its version."""

    def put_new(self, key: str, body: bytes) -> bool:
        """Writes an object unless its key is taken (If-None-Match); False where it is."""

    def writer(self, key: str) -> ObjectWriter:
        """Begins a large object."""

    def list(self, prefix: str) -> Iterator[str]:
        """The keys that begin so, in order."""

    def delete(self, keys: Iterable[str]) -> None:
        """Deletes what is there of these."""


class BatchStore(Protocol):
    """The records of batches and parts. Every write is conditional, so that a repeated one changes nothing."""

    def create(self, batch: Batch) -> Batch:
        """Records a new batch, for its owner's list and among the open ones; or gives the one that has its id."""

    def get(self, batch_id: str) -> Batch | None:
        """The record as of now (a consistent read)."""

    def add_parts(self, parts: Sequence[Part]) -> None:
        """Records parts of a batch that is still ``indexing``; the same ones again change nothing."""

    def start(
        self,
        batch_id: str,
        *,
        total: int,
        parts: int,
        lines: str,
        lines_version: str,
        estimated_tokens: int = 0,
        expected_end_at: float | None = None,
    ) -> Batch:
        """From indexing to in_progress. Of a batch that is past that, gives the record as it is."""

    def refuse(self, batch_id: str, problem: str, now: float) -> Batch:
        """From indexing to ended, with the reason why the whole input cannot be worked on."""

    def part(self, batch_id: str, number: int) -> Part | None:
        """One part, as of now."""

    def parts(self, batch_id: str) -> Iterator[Part]:
        """All parts in order."""

    def queued(self, batch_id: str, numbers: Sequence[int], now: float) -> None:
        """Notes when these parts were last sent to the queue."""

    def claim(self, batch_id: str, number: int, *, now: float, lease_seconds: float) -> Part | None:
        """The part with its next attempt and a lease; None where it is done or another one's lease runs."""

    def renew(self, part: Part, *, now: float, lease_seconds: float) -> bool:
        """Prolongs the lease; False where a later attempt has the part."""

    def begin(self, part: Part, *, deaths: int, begun_with: int) -> bool:
        """Notes that the attempt carries out items from now on: should it never be released, that makes so many deaths.

        False where a later attempt has the part, or where the part is done.
        """

    def release(self, part: Part, *, deaths: int = 0) -> None:
        """Ends the attempt, if it still has the part: its lease is over, and what it holds goes back.

        The part counts as never sent then, and has so many *deaths*.
        """

    def hold(self, part: Part, microdollars: int, limit: int) -> Part | None:
        """Keeps so much more of the batch's money for this part, if that leaves it within *limit*; or gives some back.

        The part as it is then, with as much ``held`` as before where the money is not there. None where a later
        attempt has the part, or where the part is done. Raises PartChanged.
        """

    def checkpoint(self, part: Part, spent: Spent, *, finished: int, late: Collection[str] = ()) -> Part | None:
        """Counts one more segment and adds what it spent to the batch, in one transaction.

        *spent* comes out of what the part holds, as far as that goes. *finished* is how many items have ended by now.
        *late* names what *spent* has of other attempts: no name is ever counted twice. None where a later attempt has
        the part, or where the part is done. Raises PartChanged.
        """

    def complete(self, part: Part, counts: Counts, spent: Spent, *, late: Collection[str] = ()) -> Batch | None:
        """The part is done: that, its counts and what was spent since the last checkpoint, in one transaction.

        What the part holds beyond that is given back. Gives the batch as it is then. None where a later attempt has the
        part, or where it was done already. Raises PartChanged.
        """

    def add_late(self, part: Part, name: str, spent: Spent) -> None:
        """Adds what an attempt that has no part any more spent, unless something of that name was counted already."""

    def stop(self, batch_id: str, reason: StopReason, now: float) -> Batch | None:
        """From in_progress to canceling, for the first reason given; gives the record. None for no such batch.

        A batch that is still indexing is stopped once it is in progress.
        """

    def end(self, batch_id: str, now: float) -> Batch:
        """Every part is done and the files are written: canceling or in_progress -> ended."""

    def untold(self, batch_id: str) -> bool:
        """Whether the batch has not ended, or nobody may have been told of its end."""

    def told(self, batch_id: str) -> None:
        """Those who listen know of the end: the batch is no longer among the open ones."""

    def list(
        self, owner: str, *, limit: int, after_id: str | None, before_id: str | None
    ) -> tuple[Sequence[Batch], bool]:
        """A page of the owner's batches, the newest first, and whether there are more in that direction.

        *after_id* gives those that come after this batch in that order, *before_id* those before it.
        """

    def open(self) -> Iterator[Batch]:
        """All that have not ended, and those of whose end nobody may have been told; of every owner."""

    def delete(self, batch: Batch) -> None:
        """Forgets an ended batch and its parts."""


class BatchQueues(Protocol):
    """The queues. Messages are pointers; each may arrive twice, late, or out of order."""

    def send_parts(self, batch: Batch, numbers: Sequence[int], delay_seconds: int = 0) -> None:
        """These parts are to be worked on. Owners take turns (MessageGroupId). Raises where one was not taken."""

    def send_finish(self, batch_id: str) -> None:
        """All parts are done."""

    def send_job(self, body: str) -> None:
        """A job message for the intake, as a user would send it."""

    def intake_again(self, receipt: str, after_seconds: int) -> None:
        """A message that the intake could not work off comes again after so long, in place of the queue's own time."""


class BatchEvents(Protocol):
    """Who is told of ends."""

    def ended(self, batch: Batch) -> None:
        """The batch has ended; may be told twice."""


@dataclass(frozen=True, slots=True)
class BatchPorts:
    """All of them, and where the pieces of this deployment are."""

    store: BatchStore
    objects: ObjectStore
    queues: BatchQueues
    events: BatchEvents
    bucket: str

"""What an attempt at a part writes to the part's record and its batch's: counts, spending, money that is held.

One write after the other, each on what the one before has left: a record that was found to have changed is taken as it
is then, and the write is made anew.
"""

import asyncio
from collections.abc import Callable, Mapping
from typing import TypeVar

from megallm.batches.model import Batch, Part, Spent
from megallm.errors import InternalError
from megallm.operations.batch_ports import BatchStore, PartChanged
from megallm.operations.batch_watch import BatchWatch
from megallm.operations.in_thread import InThread
from megallm.operations.part_segments import Closed

_TRIES = 5

WrittenT = TypeVar("WrittenT")


class LeaseLost(Exception):
    """A later attempt has the part, or it is done."""


class PartLedger:
    """One attempt's. ``unrecorded`` is what it spent and is in no record yet, in millionths of a US dollar.

    *uncounted* are segments that earlier attempts left, by name, and what was spent for them: it is counted with the
    first checkpoint, as far as nobody else was faster.
    """

    def __init__(
        self, part: Part, watch: BatchWatch, store: BatchStore, in_thread: InThread, uncounted: Mapping[str, Spent]
    ) -> None:
        self.part = part
        self.unrecorded = 0.0
        self._watch = watch
        self._store = store
        self._in_thread = in_thread
        self._uncounted = dict(uncounted)
        self._turn = asyncio.Lock()
        self.spent(sum(spent.microdollars for spent in uncounted.values()))

    @property
    def has_uncounted(self) -> bool:
        """Whether earlier attempts left what the next checkpoint counts."""
        return bool(self._uncounted)

    def spent(self, microdollars: float) -> None:
        """So much more was spent."""
        self.unrecorded += microdollars

    async def hold(self, microdollars: int, limit: int) -> bool:
        """Whether the part holds so much more; to give some back succeeds. Raises LeaseLost, InternalError."""

        def write(part: Part) -> Part | None:
            return self._store.hold(part, microdollars, limit)

        async with self._turn:
            self.part, before = await self._written(write), self.part.held
            return self.part.held != before

    async def checkpoint(self, spent: Spent, finished: int) -> None:
        """Counts a segment that is written. Raises LeaseLost, InternalError."""

        def write(part: Part) -> Part | None:
            late = self._not_counted(self._uncounted, part)
            return self._store.checkpoint(part, _sum(spent, late), finished=finished, late=late.keys())

        async with self._turn:
            self.part = await self._written(write)
            recorded = _sum(spent, self._uncounted)
            self._uncounted.clear()
            self.unrecorded -= recorded.microdollars

    async def complete(self, closed: Closed) -> Batch:
        """Counts the part, whose files are written. Raises LeaseLost, InternalError."""

        def write(part: Part) -> Batch | None:
            late = self._not_counted(closed.uncounted, part)
            return self._store.complete(part, closed.counts, _sum(Spent(), late), late=late.keys())

        async with self._turn:
            batch = await self._written(write)
            self.leave()
            self._watch.saw(batch)
            return batch

    async def add_late(self, name: str, spent: Spent) -> None:
        """Adds what was spent, unless it was counted under this name. Raises InternalError."""
        await self._in_thread(self._store.add_late, self.part, name, spent)

    def leave(self) -> None:
        """What is unrecorded is the batch's record's matter from now on, as far as it is known at all."""
        self.unrecorded = 0.0

    async def _written(self, write: Callable[[Part], WrittenT | None]) -> WrittenT:
        for _ in range(_TRIES):
            try:
                written = await self._in_thread(write, self.part)
            except PartChanged as changed:
                self.part = changed.part
                continue
            if written is None:
                raise LeaseLost
            return written
        raise InternalError("The gateway could not record a batch's progress: it changes all the time")

    @staticmethod
    def _not_counted(segments: Mapping[str, Spent], part: Part) -> Mapping[str, Spent]:
        return {name: spent for name, spent in segments.items() if name not in part.late}


def _sum(spent: Spent, others: Mapping[str, Spent]) -> Spent:
    for other in others.values():
        spent = spent.plus(other)
    return spent

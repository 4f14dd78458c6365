"""The places in line of those who were refused: taken in the table, so that the processes tell different times.

Whoever comes while a write is on its way waits for the next one, which takes the places of all who do. So a crowd
costs a process two writes, and not one each.
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass

from megallm.limits.decide import Limit, Refused
from megallm.limits.memory import View
from megallm.limits.shards import Shard
from megallm.limits.state import State
from megallm.limits.waiting import Wait, wait_of
from megallm.stores.limits_table import Conflict, NoAnswer, Table, TooFast

_TRIES = 3


@dataclass(frozen=True, slots=True)
class _Kind:
    """Those who wait for the same thing: their places are of one size."""

    shard: Shard
    limit: Limit
    tokens: int


@dataclass(frozen=True, slots=True)
class _Places:
    """So many were taken, the last of them at the end of the lines of ``state``; 0 where the lines are full."""

    wait: Wait
    state: State
    count: int


@dataclass(slots=True)
class _Batch:
    """Those whose places are taken together."""

    count: int
    places: "asyncio.Task[_Places]"


class Lines:
    """The lines of all items, as one process takes places in them. *fraction* gives numbers in [0, 1)."""

    def __init__(self, table: Table, clock: Callable[[], int], fraction: Callable[[], float]) -> None:
        self._table = table
        self._clock = clock
        self._fraction = fraction
        self._open: dict[_Kind, _Batch] = {}
        self._writing: dict[_Kind, asyncio.Task[_Places]] = {}

    async def place(self, refused: Refused, shard: Shard, view: View, tokens: int, *, asked: bool) -> int:
        """The moment for which to call back.

        *asked*: the table has just refused. Else it is a remembered refusal, and takes its place in the table only
        where others do at this moment, or none did of late; what hammers costs no writes.
        """
        kind = _Kind(shard, refused.limit, tokens if refused.limit == "tokens" else 0)
        batch = self._open.get(kind)
        if batch is None:
            if not asked and kind not in self._writing and not view.may_take_places(self._clock()):
                return self._moment(self._unwritten(view, self._wait(kind, view, refused), 1), refused, 1)
            places = asyncio.ensure_future(self._taken_next(kind, view, refused))
            batch = self._open[kind] = _Batch(0, places)
        batch.count += 1
        number = batch.count
        return self._moment(await asyncio.shield(batch.places), refused, number)

    def _moment(self, places: _Places, refused: Refused, number: int) -> int:
        if number > places.count:
            return max(refused.until, places.wait.anywhere(self._fraction()))
        return max(refused.until, places.wait.when(places.state, places.count - number))

    def _wait(self, kind: _Kind, view: View, refused: Refused) -> Wait:
        return wait_of(view.state, refused, kind.shard.limits, now=self._clock(), tokens=kind.tokens)

    def _unwritten(self, view: View, wait: Wait, wanted: int) -> _Places:
        """Places that only this process knows of."""
        places = wait.places(view.state, wanted)
        if places is None:
            return _Places(wait, view.state, 0)
        queue, count = places
        view.take_place(queue)
        return _Places(wait, view.state, count)

    async def _taken_next(self, kind: _Kind, view: View, refused: Refused) -> _Places:
        """As soon as the write before is done."""
        before = self._writing.get(kind)
        if before is not None:
            await asyncio.wait([before])
        batch = self._open.pop(kind)
        self._writing[kind] = batch.places
        try:
            return await self._taken(kind, view, refused, batch.count)
        finally:
            del self._writing[kind]

    async def _taken(self, kind: _Kind, view: View, refused: Refused, wanted: int) -> _Places:
        view.takes_places(self._clock())
        wait = self._wait(kind, view, refused)
        places = wait.places(view.state, wanted)
        unwritten = self._unwritten(view, wait, wanted)  # at once: the places given out here without a write stay apart
        for _ in range(_TRIES):
            if places is None:
                return _Places(wait, view.state, 0)
            queue, count = places
            try:
                state = await self._table.update(kind.shard.item_id, queue)
            except Conflict as conflict:
                places = wait.places(conflict.state, wanted)
            except (TooFast, NoAnswer):
                break
            else:
                view.saw(state)
                return _Places(wait, view.state, count)
        return unwritten

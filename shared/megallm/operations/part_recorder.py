"""Records what an attempt at a part finishes: a segment, and then its count in the part's record, again and again.

What a crash repeats is what was in flight and what was finished but not recorded. The second is bounded: nothing new
begins while CHECKPOINT_ITEMS wait to be recorded.
"""

import asyncio
from collections.abc import Collection

from megallm.batches.model import Part, Spent, segment_key
from megallm.batches.results import segment_line
from megallm.catalog.models import Prices
from megallm.messages.events import Usage
from megallm.operations.batch_cost import Purse
from megallm.operations.batch_ports import BatchPorts
from megallm.operations.batch_watch import BatchWatch
from megallm.operations.in_thread import InThread
from megallm.operations.part_segments import to_bytes

CHECKPOINT_ITEMS = 100
CHECKPOINT_SECONDS = 5.0
# A segment is begun at half of that, so that items go on while it is written.
_ENOUGH_ITEMS = CHECKPOINT_ITEMS // 2
_ENOUGH_BYTES = 4 * 1024 * 1024

_NOTHING = Spent()


class LeaseLost(Exception):
    """A later attempt has the part, or it is done."""


class PartRecorder:
    """One attempt's. ``done`` are the finished records, those of *earlier* attempts included.

    *uncounted* is what earlier attempts spent and could not count any more.
    """

    def __init__(
        self,
        part: Part,
        watch: BatchWatch,
        ports: BatchPorts,
        in_thread: InThread,
        *,
        earlier: Collection[int] = (),
        uncounted: Spent = _NOTHING,
    ) -> None:
        self.part = part
        self.done = set(earlier)
        self._watch = watch
        self._ports = ports
        self._in_thread = in_thread
        self._uncounted = uncounted
        self._purse = Purse()
        self._routes: dict[str, int] = {}
        self._lines: list[bytes] = []
        self._bytes = 0
        self._being_written = 0
        self._ending = False
        self._some = asyncio.Event()
        self._enough = asyncio.Event()
        self._room = asyncio.Event()

    def spent(self, usage: Usage | None, prices: Prices | None) -> None:
        """A call was made."""
        before = self._purse.microdollars
        self._purse.add_call(usage, prices)
        self._watch.unrecorded += self._purse.microdollars - before

    def answered_by(self, route: str) -> None:
        """A route answered a call."""
        self._routes[route] = self._routes.get(route, 0) + 1

    def finished(self, record: int, result: bytes, error: bytes | None) -> None:
        """An item has ended."""
        line = segment_line(record, result, error)
        self._lines.append(line)
        self._bytes += len(line)
        self.done.add(record)
        self._some.set()
        if len(self._lines) >= _ENOUGH_ITEMS or self._bytes >= _ENOUGH_BYTES:
            self._enough.set()

    async def room(self) -> None:
        """Waits while too much is not recorded."""
        while len(self._lines) + self._being_written >= CHECKPOINT_ITEMS:
            self._room.clear()
            await self._room.wait()

    async def run(self) -> None:
        """Writes segments until it is told to end. Raises LeaseLost, InternalError."""
        while not self._ending:
            await self._some.wait()
            try:
                async with asyncio.timeout(CHECKPOINT_SECONDS):
                    await self._enough.wait()
            except TimeoutError:
                pass
            if not self._ending:
                await self.checkpoint()

    def end(self) -> None:
        """``run`` returns when it has written what it is writing."""
        self._ending = True
        self._some.set()
        self._enough.set()

    async def checkpoint(self) -> None:
        """Writes and counts what there is; counts also where there is nothing. Raises LeaseLost, InternalError."""
        spent = await self.write()
        part = await self._in_thread(self._ports.store.checkpoint, self.part, spent.plus(self._uncounted))
        if part is None:
            raise LeaseLost
        self.part = part
        self._uncounted = _NOTHING
        self.counted(spent)

    async def write(self) -> Spent:
        """Writes a segment of what there is, and gives what it spent, for whoever counts it."""
        lines, spent, routes = self._lines, self._purse.take(), self._routes
        self._lines, self._routes, self._bytes, self._being_written = [], {}, 0, len(lines)
        self._some.clear()
        self._enough.clear()
        if lines or spent != _NOTHING:
            key = segment_key(self.part, self.part.segments)
            await self._in_thread(self._ports.objects.put_new, key, to_bytes(lines, spent, routes))
        return spent

    def counted(self, spent: Spent) -> None:
        """What ``write`` gave is in the batch's record now."""
        self._watch.recorded(spent)
        self._being_written = 0
        self._room.set()

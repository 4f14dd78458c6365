"""Records what an attempt at a part finishes: a segment, and then its count in the part's record, again and again.

What a crash repeats is what was in flight and what was finished but not recorded. The second is bounded: nothing new
begins while CHECKPOINT_ITEMS wait to be recorded.
"""

import asyncio

from megallm.batches.model import Batch, Part, Spent, segment_key, segment_name
from megallm.batches.results import segment_line
from megallm.catalog.models import Prices
from megallm.errors import GatewayError
from megallm.messages.events import Usage
from megallm.operations.batch_cost import Purse
from megallm.operations.batch_ports import BatchPorts
from megallm.operations.batch_watch import BatchWatch
from megallm.operations.in_thread import InThread
from megallm.operations.part_ledger import LeaseLost, PartLedger
from megallm.operations.part_segments import NOTHING_EARLIER, Closed, Earlier, to_bytes
from megallm.telemetry import log

CHECKPOINT_ITEMS = 100
CHECKPOINT_SECONDS = 5.0
# A segment is begun at half of that, so that items go on while it is written.
_ENOUGH_ITEMS = CHECKPOINT_ITEMS // 2
_ENOUGH_BYTES = 4 * 1024 * 1024

_NOTHING = Spent()


class PartRecorder:
    """One attempt's. ``done`` are the finished records, those of *earlier* attempts included."""

    def __init__(
        self,
        part: Part,
        watch: BatchWatch,
        ports: BatchPorts,
        in_thread: InThread,
        earlier: Earlier = NOTHING_EARLIER,
    ) -> None:
        self.done = set(earlier.records)
        self.ledger = PartLedger(part, watch, ports.store, in_thread, earlier.uncounted)
        self._watch = watch
        self._ports = ports
        self._in_thread = in_thread
        self._purse = Purse()
        self._routes: dict[str, int] = {}
        self._lines: list[bytes] = []
        self._bytes = 0
        self._being_written = 0
        self._written = len(self.done)
        self._segment: tuple[str, Spent] | None = None  # that is written, or may be, and is not counted
        self._ending = False
        self._some = asyncio.Event()
        self._enough = asyncio.Event()
        self._room = asyncio.Event()

    @property
    def part(self) -> Part:
        """As of the last write to its record."""
        return self.ledger.part

    def spent(self, usage: Usage | None, prices: Prices | None) -> float:
        """A call was made; what it cost, in millionths."""
        before = self._purse.microdollars
        self._purse.add_call(usage, prices)
        cost = self._purse.microdollars - before
        if cost:
            self.ledger.spent(cost)
            self._some.set()  # others may wait for what is held and was not spent: that is known with the next segment
        return cost

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

    @property
    def has_news(self) -> bool:
        """Whether a checkpoint would record anything."""
        is_written_down = not self._lines and not self._purse.calls and self._segment is None
        return not is_written_down or self.ledger.has_uncounted or len(self.done) != self.part.finished

    async def checkpoint(self) -> None:
        """Writes and counts what there is; counts also where there is nothing. Raises LeaseLost, InternalError."""
        spent = await self._write(even_nothing=True)
        segment, self._segment = self._segment, None  # should the answer fail to come, the segment tells what was spent
        try:
            await self.ledger.checkpoint(spent, self._written)
        except LeaseLost:
            self._segment = segment
            raise
        self._being_written = 0
        self._room.set()

    async def write(self) -> None:
        """Writes the last segment, if there is anything, for ``complete`` to count."""
        await self._write(even_nothing=False)

    async def complete(self, closed: Closed) -> Batch:
        """Counts the part, whose files are written. Raises LeaseLost, InternalError."""
        segment, self._segment = self._segment, None
        try:
            return await self.ledger.complete(closed)
        except LeaseLost:
            self._segment = segment
            raise

    async def leave(self) -> None:
        """Puts into the ledger what was spent and cannot be counted with the part: the attempt is over, and lost.

        What a segment may have is counted under the segment's name: whoever has the part next may have found it.
        """
        if self._segment is not None:
            await self._add_late(*self._segment)
        if (rest := self._purse.take()) != _NOTHING:
            await self._add_late(f"{self.part.attempt:04}-rest", rest)
        self.ledger.leave()

    async def _add_late(self, name: str, spent: Spent) -> None:
        try:
            await self.ledger.add_late(name, spent)
        except GatewayError as error:  # a store that fails now as well: as after a crash, but for this line
            fields = {"batch_id": self.part.batch_id, "part": self.part.number, "microdollars": spent.microdollars}
            log("spending_not_recorded", fields, error=error)

    async def _write(self, *, even_nothing: bool) -> Spent:
        """Writes a segment of what there is, and gives what it spent."""
        lines, spent, routes = self._lines, self._purse.take(), self._routes
        self._lines, self._routes, self._bytes, self._being_written = [], {}, 0, len(lines)
        self._written = len(self.done)
        self._some.clear()
        self._enough.clear()
        if lines or spent != _NOTHING or even_nothing:
            number = self.part.segments
            self._segment = (segment_name(self.part, number), spent)
            key = segment_key(self.part, number)
            await self._in_thread(self._ports.objects.put_new, key, to_bytes(lines, spent, routes))
        return spent

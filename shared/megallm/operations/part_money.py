"""The money of an attempt at a part of a batch that may cost only so much: nothing is called that it does not have.

The money is kept on the batch's record and given to attempts in blocks, so that the sum of what was spent and of what
attempts hold never passes ``max_cost``, whoever works on the batch. A call takes what it is expected to cost out of the
attempt's block before it begins. What it costs beyond that is what the batch may be overrun by.

A call is expected to cost the share of the most it could cost that others of this process's calls have come to.
"""

import asyncio
from math import ceil

from megallm.operations.batch_tools import BatchTools
from megallm.operations.batch_watch import BatchWatch
from megallm.operations.part_ledger import PartLedger

BLOCK_CALLS = 200  # what a block is for, once it is known what calls cost
LONGEST_WAIT_SECONDS = 60.0  # for money that others hold
_POLL_SECONDS = 2.0
_SHARES = 4  # of what is there nobody takes more than one of so many at once: others come as well
_ENOUGH_CALLS = 10  # of a batch, for their average to be something to go by
_NOT_HAD_SECONDS = 61.0  # what is told as the wait for money once it has lasted too long


class PartMoney:
    """One attempt's. ``take`` before each call, ``settle`` after it."""

    def __init__(self, tools: BatchTools, watch: BatchWatch, ledger: PartLedger, limit: int) -> None:
        self._tools = tools
        self._watch = watch
        self._ledger = ledger
        self._limit = limit
        self._calls = 0  # that are under way
        self._taken = 0.0  # by them
        self._turn = asyncio.Lock()
        self._settled = asyncio.Event()
        self._waiting_since: float | None = None

    async def take(self, most: float) -> float | None:
        """What the call may cost, once it is there; *most* is what it could. None: nothing may begin any more.

        Raises LeaseLost, InternalError.
        """
        expected = self._expected(most)
        if self._left() < expected or self._turn.locked():
            async with self._turn:
                while self._left() < (expected := self._expected(most)):
                    if self._watch.gone or self._watch.reason() is not None:
                        return None
                    if (less := await self._more(most, expected)) is not None:
                        expected = less
                        break
                self._waiting_since = None
        self._calls += 1
        self._taken += expected
        return expected

    def settle(self, taken: float, most: float, cost: float | None) -> None:
        """A call that took so much is over; *cost* is None where nothing is known of it."""
        self._calls -= 1
        self._taken = self._taken - taken if self._calls else 0.0  # a sum of floats seldom comes back to nothing
        if cost is not None:
            self._watch.share.learn(most, cost)
        self._settled.set()

    @property
    def closed_seconds(self) -> float:
        """More than any worker waits, once the money has been others' for too long."""
        since = self._waiting_since
        is_long = since is not None and self._tools.monotonic() - since > LONGEST_WAIT_SECONDS
        return _NOT_HAD_SECONDS if is_long else 0.0

    def _expected(self, most: float) -> float:
        """What such a call costs, by what is known. A new process begins with the average of the batch's calls."""
        share, spent = self._watch.share, self._watch.batch.spent
        if not share.calls and spent.calls >= _ENOUGH_CALLS:
            share.learn(most, spent.microdollars / spent.calls)
        return most * share.careful()

    def _left(self) -> float:
        return self._ledger.part.held - self._ledger.unrecorded - self._taken

    async def _more(self, most: float, expected: float) -> float | None:
        """Gets more money, or waits a while for some; a number is what is there for a call that gets less.

        The last of the money is for a call that is expected to cost no more than that without a margin, or for the
        first of all, of which nothing is expected yet. Where it is for none, the batch has cost what it may.
        """
        self._settled.clear()
        needed = max(1, ceil(expected - self._left()))
        free = self._limit - self._watch.batch.committed
        if free >= needed and await self._had(needed, expected, free):
            return None
        batch = await self._tools.in_thread(self._watch.store.get, self._watch.batch.id)
        if batch is None:
            self._watch.gone = True
            return None
        self._watch.saw(batch)
        free = self._limit - batch.committed
        if free >= needed:
            return None
        if self._calls:
            await self._wait()
        elif batch.committed > batch.spent.microdollars + self._ledger.part.held:
            if (idle := int(self._left())) > 0:  # somebody may wait for just that
                await self._ledger.hold(-min(idle, self._ledger.part.held), self._limit)
            await self._wait()
        else:
            if free > 0 and not await self._ledger.hold(free, self._limit):
                return None  # somebody was faster
            last = self._left()
            self._expected(most)
            share = self._watch.share
            if last > 0 and (not share.calls or last >= most * share.of):
                return min(last, expected)
            self._watch.exhausted = True
        return None

    async def _had(self, needed: int, expected: float, free: int) -> bool:
        """Whether a block was to be had, or at least what is *needed*."""
        calls = BLOCK_CALLS if self._watch.share.calls else self._tools.concurrency
        block = min(needed + int(calls * expected), max(needed, free // _SHARES))
        return await self._ledger.hold(block, self._limit)

    async def _wait(self) -> None:
        """Until one of our own calls has ended, or others may have given something back."""
        if self._waiting_since is None:
            self._waiting_since = self._tools.monotonic()
        try:
            async with asyncio.timeout(_POLL_SECONDS * (0.5 + self._tools.fraction())):
                await self._settled.wait()
        except TimeoutError:
            pass

"""The lease of one attempt at a part: renewed while the attempt runs, and given up once that is over.

Before an attempt carries out items, the record counts it as dead; ``release`` and ``withdraw`` take that back. So only
the death of a process is one, or a defect: an AWS that fails is none, whatever fails of it.
"""

import asyncio

from megallm.batches.model import Part
from megallm.errors import GatewayError
from megallm.operations.batch_tools import BatchTools
from megallm.telemetry import log

LEASE_SECONDS = 60.0
RENEW_SECONDS = 20.0
# Deaths in a row of those who carried out a part's items, with none of the items done in between.
MOST_CRASHES = 10

_WITHDRAWAL_SECONDS = 60.0  # how long it is tried to tell that an attempt is over, and how often
_WITHDRAWAL_EACH_SECONDS = 5.0


class PartLease:
    """Of *part*, as it was claimed."""

    def __init__(self, tools: BatchTools, part: Part) -> None:
        self._tools = tools
        self._part = part
        self._until = part.leased_until
        self._is_anothers = False
        self._deaths = part.deaths
        self._renewing: asyncio.Task[None] | None = None

    @property
    def is_lost(self) -> bool:
        """Whether another attempt may have the part."""
        return self._is_anothers or self._tools.clock() >= self._until

    def keep(self) -> None:
        """Renews it from now on."""
        self._renewing = asyncio.get_running_loop().create_task(self._renew())

    def end(self) -> None:
        """Renews it no more."""
        if self._renewing is not None:
            self._renewing.cancel()

    def is_poison(self, finished: int) -> bool:
        """Whether whoever carries out the part dies of it; *finished* is how many items have ended by now."""
        if finished > self._part.begun_with:
            self._deaths = 0
        return self._deaths >= MOST_CRASHES

    async def begin(self, finished: int) -> bool:
        """Notes that items are carried out from now on; False where the part is lost. Raises InternalError."""
        begin = self._tools.ports.store.begin
        return await self._tools.in_thread(begin, self._part, deaths=self._deaths + 1, begun_with=finished)

    async def release(self, part: Part) -> None:
        """The attempt is over, and was no death; *part* is its latest state. Raises InternalError."""
        if self._renewing is not None:
            self._renewing.cancel()
            await asyncio.wait([self._renewing])  # a renewal that is under way would take the lease back
        await self._tools.in_thread(self._tools.ports.store.release, part, deaths=self._deaths)

    async def withdraw(self, part: Part, deadline: float | None) -> None:
        """``release`` after a failure. What fails may be just that: it is tried for a while, but not up to *deadline*.

        In vain, it counts as a death after all.
        """
        tools = self._tools
        until = tools.monotonic() + _WITHDRAWAL_SECONDS
        if deadline is not None:
            until = min(until, deadline - _WITHDRAWAL_EACH_SECONDS)
        while True:
            try:
                await self.release(part)
            except GatewayError as error:
                if tools.monotonic() >= until:
                    log("part_not_released", {"batch_id": part.batch_id, "part": part.number}, error=error)
                    return
            else:
                return
            await asyncio.sleep(_WITHDRAWAL_EACH_SECONDS)

    async def _renew(self) -> None:
        """Until another attempt has the part."""
        tools = self._tools
        while not self._is_anothers:
            await asyncio.sleep(RENEW_SECONDS)
            now = tools.clock()
            try:
                kept = await tools.in_thread(tools.ports.store.renew, self._part, now=now, lease_seconds=LEASE_SECONDS)
            except GatewayError:
                continue  # there is time for two more tries before the lease ends
            if kept:
                self._until = now + LEASE_SECONDS
            else:
                self._is_anothers = True

"""A worker process: runs parts of batches, several at once on one event loop, each claimed by a lease."""

import random
import time
from collections.abc import Callable
from dataclasses import replace

from megallm.limits.unlimited import Unlimited
from megallm.operations.batch_allowance import NoAllowance
from megallm.operations.batch_index import is_dry_run
from megallm.operations.batch_ports import BatchPorts
from megallm.operations.batch_tools import Allowance, BatchTools
from megallm.operations.batch_watch import BatchWatch
from megallm.operations.blocking import in_thread
from megallm.operations.gateway import Gateway
from megallm.operations.in_thread import InThread
from megallm.operations.measure import BatchMeter
from megallm.operations.part_attempt import PartAttempt
from megallm.operations.part_lease import LEASE_SECONDS
from megallm.operations.retry import RetryPolicy
from megallm.telemetry.metrics import NONE


class Worker:
    """One a process. *concurrency* bounds its calls in flight to one upstream.

    *clock* is in seconds since 1970; *monotonic* is the clock of the deadlines that ``run`` is given; *tier_of* blocks,
    and tells the tier of an owner for the metrics.
    """

    def __init__(
        self,
        gateway: Gateway,
        ports: BatchPorts,
        *,
        concurrency: int,
        allowance: Allowance | None = None,
        clock: Callable[[], float] = time.time,
        monotonic: Callable[[], float] = time.monotonic,
        in_thread: InThread = in_thread,
        fraction: Callable[[], float] = random.random,
        tier_of: Callable[[str], str] = lambda owner: NONE,
    ) -> None:
        # The batches have an allowance of their own, and an item counts its attempts itself: one engine, but neither
        # its limits nor its patience. Another route still stands in for one that fails.
        once = replace(gateway, limiter=Unlimited(), retry=RetryPolicy(tries=1))
        self._tools = BatchTools(
            once,
            ports,
            concurrency,
            allowance or NoAllowance(),
            clock,
            monotonic,
            in_thread,
            fraction,
            BatchMeter(gateway.metrics, clock),
        )
        self._tier_of = tier_of
        self._watches: dict[str, BatchWatch] = {}
        self._attempts: set[PartAttempt] = set()

    async def run(self, batch_id: str, number: int, deadline: float | None = None) -> None:
        """One message of the work queue: returns when nothing is left to be done for it.

        That is also where another worker has the part. Shortly before *deadline*, a moment of the monotonic clock, what
        is done is recorded and the rest is sent to the queue again. Raises InternalError where AWS fails: the message
        must come again then.
        """
        watch = await self._watch(batch_id)
        if watch is None:
            return
        try:
            if watch.batch.state not in ("in_progress", "canceling") or is_dry_run(watch.batch):
                return
            if await self._attempt(watch, number, deadline):
                return
        finally:
            self._tools.meter.write()
            # It is not kept up to date any more. Another run may have dropped it before, and a third have a new one.
            if watch.parts == 0 and self._watches.get(batch_id) is watch:
                del self._watches[batch_id]
        await self._finish_if_done(batch_id, number)

    async def _attempt(self, watch: BatchWatch, number: int, deadline: float | None) -> bool:
        """Whether the part was had, and is done or handed over."""
        tools = self._tools
        part = await tools.in_thread(
            tools.ports.store.claim, watch.batch.id, number, now=tools.clock(), lease_seconds=LEASE_SECONDS
        )
        if part is None:
            return False
        attempt = PartAttempt(tools, watch, part, deadline)
        self._attempts.add(attempt)
        try:
            return await attempt.run()
        finally:
            self._attempts.discard(attempt)

    def drain(self, seconds: float) -> None:
        """Makes every ``run`` record what is done and hand over the rest, *seconds* from now at the latest."""
        for attempt in self._attempts:
            attempt.drain(seconds)

    async def _watch(self, batch_id: str) -> BatchWatch | None:
        """The batch as this process knows it; None where there is no such batch."""
        tools = self._tools
        if batch_id not in self._watches:
            batch = await tools.in_thread(tools.ports.store.get, batch_id)
            if batch is None:
                return None
            tier = NONE if tools.meter.metrics is None else await tools.in_thread(self._tier_of, batch.owner)
            if batch_id not in self._watches:  # another part may have been faster
                watch = BatchWatch(batch, tools.ports.store, tools.clock, tools.in_thread, tier)
                self._watches[batch_id] = watch
        return self._watches[batch_id]

    async def _finish_if_done(self, batch_id: str, number: int) -> None:
        """Whoever did the last part may have died before it told the finisher."""
        tools, store = self._tools, self._tools.ports.store
        part = await tools.in_thread(store.part, batch_id, number)
        if part is None or not part.done:
            return
        batch = await tools.in_thread(store.get, batch_id)
        if batch is not None and batch.state != "ended" and batch.parts_done == batch.parts:
            await tools.in_thread(tools.ports.queues.send_finish, batch_id)

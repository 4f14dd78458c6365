"""What one process knows of a batch while it works on its parts: its latest record, and whether to go on."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field

from megallm.batches.model import Batch, StopReason
from megallm.errors import GatewayError
from megallm.operations.batch_cost import Share
from megallm.operations.batch_ports import BatchStore
from megallm.operations.in_thread import InThread
from megallm.telemetry.metrics import NONE

POLL_SECONDS = 2.0


def stop_reason(batch: Batch, now: float) -> StopReason | None:
    """Why nothing new may begin, by the record; whether there is money for a call is for ``PartMoney`` to say."""
    if batch.stop is not None:
        return batch.stop
    if now >= batch.expires_at:
        return "expired"
    return None


@dataclass(slots=True)
class BatchWatch:
    """One a batch and process, shared by the parts that run. ``gone`` tells that there is nothing left to do."""

    batch: Batch
    store: BatchStore
    clock: Callable[[], float]
    in_thread: InThread
    tier: str = NONE  # of its owner, for the metrics
    parts: int = 0
    gone: bool = False
    exhausted: bool = False  # no call fits any more into what the batch may cost
    share: Share = field(default_factory=Share)
    _polling: asyncio.Task[None] | None = None

    def begin_part(self) -> None:
        """One more part runs; the first one starts the polling."""
        self.parts += 1
        if self._polling is None:
            self._polling = asyncio.get_running_loop().create_task(self._poll())

    def end_part(self) -> None:
        """One less does; the last one ends the polling."""
        self.parts -= 1
        if self.parts == 0 and self._polling is not None:
            self._polling.cancel()
            self._polling = None

    def reason(self) -> StopReason | None:
        """Why nothing new may begin, as far as is known."""
        reason = stop_reason(self.batch, self.clock())
        return "max_cost" if reason is None and self.exhausted else reason

    async def confirm(self, reason: StopReason) -> StopReason:
        """Records the reason, and gives the one that stands: another process may have been first with another."""
        if self.batch.stop is None:
            stopped = await self.in_thread(self.store.stop, self.batch.id, reason, self.clock())
            if stopped is not None:
                self.saw(stopped)
        return self.batch.stop or reason

    def saw(self, batch: Batch) -> None:
        """A newer record of the batch."""
        self.batch = batch

    async def _poll(self) -> None:
        while not self.gone:
            await asyncio.sleep(POLL_SECONDS)
            try:
                batch = await self.in_thread(self.store.get, self.batch.id)
            except GatewayError:
                continue  # the store is asked again soon; checkpoints fail by themselves if it stays away
            if batch is None or batch.state == "ended":
                self.gone = True
            else:
                self.saw(batch)

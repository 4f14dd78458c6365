"""A call that was let in: its lease is renewed while it runs, and it is settled once."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping

from megallm.keys import Limits
from megallm.limits.decide import LEASE_SECONDS, tokens_cost
from megallm.limits.ledger import Count, Used, count_of
from megallm.limits.memory import View
from megallm.limits.shards import Shard
from megallm.limits.state import SECOND, Charge, Renew, Settle
from megallm.limits.told import rates
from megallm.limits.used import used_tokens
from megallm.messages.events import Usage
from megallm.stores.limits_table import Conflict, NoAnswer, Table, TooFast
from megallm.telemetry import log


class Admission:
    """``Admission`` of one call, under *lease* in *shard*; *reserved* is how far its tokens moved their moment on."""

    def __init__(
        self,
        table: Table,
        clock: Callable[[], int],
        shard: Shard,
        view: View,
        whole: Limits,
        *,
        lease: str,
        reserved: int,
        renew_seconds: float,
    ) -> None:
        self._table = table
        self._clock = clock
        self._shard = shard
        self._view = view
        self._whole = whole
        self._lease = lease
        self._reserved = reserved
        self._renew_seconds = renew_seconds
        self._settled = False
        self._renewing: asyncio.Task[None] | None = None
        # A timer and not a task: few calls run so long that their lease has to be renewed.
        self._timer = asyncio.get_running_loop().call_later(renew_seconds, self._begin_to_renew)

    @property
    def headers(self) -> Mapping[str, str]:
        """The rate headers, by what this process last saw."""
        return rates(self._view.state, self._shard.limits, self._whole, self._clock())

    def settle(self, usage: Usage | None, used: Used | None = None) -> Awaitable[None] | None:
        """Charges what was used instead of what was reserved; where that is not known, the reservation stays.

        *used* is what the ledger gets, in the same write.
        """
        if self._settled:
            return None
        self._settled = True
        self._timer.cancel()
        by = 0 if usage is None else tokens_cost(self._shard.limits, used_tokens(usage)) - self._reserved
        count = None if used is None else count_of(used, self._clock() // SECOND, self._view.state.months)
        return self._settle(by, count)

    async def _settle(self, by: int, count: Count | None) -> None:
        """Never fails a call that has its reply: what could not be written is healed by the lease."""
        try:
            try:
                self._view.saw(await self._table.update(self._shard.item_id, Settle(self._lease, by, count)))
            except Conflict as conflict:
                self._view.saw(conflict.state)
                # The lease is gone: by an attempt whose answer was lost, or because it had ended before the call.
                if (by or count) and not conflict.repeated and conflict.state.exists:
                    self._view.saw(await self._table.update(self._shard.item_id, Charge(by, count)))
        except (Conflict, TooFast, NoAnswer) as error:
            log("settle_failed", {"item": self._shard.item_id, "failure": type(error).__name__})
        self._view.settled()

    def _begin_to_renew(self) -> None:
        self._renewing = asyncio.ensure_future(self._renew())
        self._timer = asyncio.get_running_loop().call_later(self._renew_seconds, self._begin_to_renew)

    async def _renew(self) -> None:
        try:
            ends = self._clock() // SECOND + LEASE_SECONDS
            await self._table.update(self._shard.item_id, Renew(self._lease, ends))
        except Conflict:
            self._timer.cancel()  # it was settled meanwhile, or had ended, and its slot may be another's
        except (TooFast, NoAnswer) as error:
            log("renewal_failed", {"item": self._shard.item_id, "failure": type(error).__name__})

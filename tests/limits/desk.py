"""A limiter over a table in memory, with its time, for the tests of the whole limiter."""

from collections.abc import Awaitable, Callable

import pytest

from megallm.errors import RateLimited
from megallm.keys import Caller
from megallm.limits.state import SECOND, State
from megallm.limits.tiers import load
from megallm.messages.events import Usage
from megallm.stores.limits import DynamoLimiter
from megallm.stores.limits_admission import Admission
from tests.limits.memory_table import MemoryTable, turn
from tests.limits.simulated_time import SimulatedTime, simulated

CALLER = Caller("abcdefgh", "basic")


class Desk:
    """A limiter, its table and its time; further processes can be had."""

    def __init__(self, table: MemoryTable | None = None) -> None:
        self.time = SimulatedTime()
        self.table = table or MemoryTable(before=turn, after=turn)
        self.limiter = self.process()

    def process(self, *, ahead: int = 0) -> DynamoLimiter:
        return DynamoLimiter(
            self.table, load(), clock=lambda: self.time() + ahead * SECOND, fraction=lambda: 0.5, renew_seconds=20
        )

    @property
    def state(self) -> State:
        return self.table.items["abcdefgh"]

    async def admitted(self, count: int, *, tokens: int = 10, caller: Caller = CALLER) -> list[Admission]:
        return [await self.limiter.admit(caller, tokens) for _ in range(count)]

    async def one(self, *, tokens: int = 10) -> Admission:
        return await self.limiter.admit(CALLER, tokens)

    async def refusal(self, *, tokens: int = 10, process: DynamoLimiter | None = None) -> RateLimited:
        with pytest.raises(RateLimited) as caught:
            await (process or self.limiter).admit(CALLER, tokens)
        return caught.value

    def run(self, work: Callable[[], Awaitable[None]]) -> None:
        async def main() -> None:
            await work()

        simulated(main(), self.time)


async def settle(admission: Admission, usage: Usage | None = None) -> None:
    pending = admission.settle(usage)
    assert pending is not None
    await pending

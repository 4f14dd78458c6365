"""A client that never waits: what it costs the table, in simulated time."""

import asyncio
from collections import Counter

import pytest

from megallm.errors import RateLimited
from megallm.keys import Caller
from megallm.limits.tiers import load
from megallm.messages.events import Usage
from megallm.stores.limits import DynamoLimiter
from tests.limits.memory_table import MemoryTable
from tests.limits.simulated_time import SimulatedTime, simulated

ITEM_WRITES_A_SECOND = 1000  # what DynamoDB does for one item
SECONDS = 10
CALLER = Caller("abcdefgh", "basic")


@pytest.mark.slow
@pytest.mark.parametrize(("processes", "call_seconds"), [(1, 0.3), (10, 0.3), (10, 30.0)])
def test_a_thousand_attempts_a_second_stay_far_below_what_an_item_carries(processes: int, call_seconds: float) -> None:
    """And whoever hammers gets what the limit allows, no more and hardly less."""
    time = SimulatedTime()

    async def table_takes_its_time() -> None:
        await asyncio.sleep(0.005)

    table = MemoryTable(before=table_takes_its_time, after=table_takes_its_time)
    writes: Counter[int] = Counter()
    admitted = 0

    async def attempt(limiter: DynamoLimiter) -> None:
        nonlocal admitted
        try:
            admission = await limiter.admit(CALLER, 10)
        except RateLimited:
            return
        admitted += 1
        await asyncio.sleep(call_seconds)
        pending = admission.settle(Usage(input_tokens=10))
        assert pending is not None
        await pending

    async def hammer() -> None:
        limiters = [DynamoLimiter(table, load(), clock=time) for _ in range(processes)]
        running = []
        for number in range(1000 * SECONDS):
            running.append(asyncio.create_task(attempt(limiters[number % processes])))
            await asyncio.sleep(0.001)
            writes[int(time.seconds)] = len(table.writes)
        await asyncio.gather(*running)

    simulated(hammer(), time)

    busiest = max(writes[second] - writes[second - 1] for second in range(SECONDS))
    assert busiest <= ITEM_WRITES_A_SECOND / 2
    assert len(table.writes) / SECONDS <= ITEM_WRITES_A_SECOND / 10
    allowed = 50 + SECONDS * 50 // 60 if call_seconds < 1 else 10  # long calls keep their slots to the end
    assert allowed * 9 // 10 <= admitted <= allowed

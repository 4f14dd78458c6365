"""What spreading a large key over several items costs its owner, in simulated time."""

import asyncio
import random

import pytest

from megallm.errors import RateLimited
from megallm.keys import Caller, Limits
from megallm.limits.shards import shards
from megallm.limits.tiers import load
from megallm.messages.events import Usage
from megallm.stores.limits import DynamoLimiter
from tests.limits.memory_table import MemoryTable, turn
from tests.limits.simulated_time import SimulatedTime, simulated

LARGE = Caller("large", "enterprise", Limits(requests_per_minute=3000, tokens_per_minute=10**9, concurrent=1000))


def admitted(demand: float, *, seconds: int = 60) -> tuple[int, int]:
    """How many are let in of how many that come at random times, at so many times the rate; ten processes."""
    time, chance = SimulatedTime(), random.Random(7)
    table = MemoryTable(before=turn, after=turn)
    limiters = [DynamoLimiter(table, load(), clock=time) for _ in range(10)]
    let_in = 0

    async def one(limiter: DynamoLimiter) -> None:
        nonlocal let_in
        try:
            admission = await limiter.admit(LARGE, 10)
        except RateLimited:
            return
        let_in += 1
        await asyncio.sleep(1)
        pending = admission.settle(Usage(input_tokens=10))
        assert pending is not None
        await pending

    async def work() -> None:
        running = []
        come = int(50 * demand * seconds)
        for number in range(come):
            running.append(asyncio.create_task(one(limiters[number % 10])))
            await asyncio.sleep(chance.expovariate(50 * demand))
        await asyncio.gather(*running)

    simulated(work(), time)
    return let_in, int(50 * demand * seconds)


def test_a_spread_key_gets_all_of_what_it_asks_within_its_rate() -> None:
    """Twenty items, each asked for a twentieth, more or less: the other items make up for it."""
    assert len(shards("large", LARGE.limits or Limits(1, 1, 1))) == 20

    let_in, come = admitted(0.9, seconds=10)

    assert let_in >= come * 0.999


@pytest.mark.slow
def test_a_spread_key_that_asks_for_more_gets_nearly_all_of_its_rate() -> None:
    """Never more than the whole: at most a twentieth is left unused."""
    let_in, _ = admitted(4.0, seconds=20)

    whole = 3000 + 50 * 20
    assert whole * 0.95 <= let_in <= whole

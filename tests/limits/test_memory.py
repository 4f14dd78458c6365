"""What a process remembers, and the gates before what it does not."""

import asyncio
import random

from megallm.errors import RateLimited
from megallm.keys import Caller
from megallm.limits.memory import Memory
from megallm.limits.tiers import load
from megallm.stores.gates import Gates
from megallm.stores.limits import DynamoLimiter
from tests.limits.memory_table import MemoryTable, turn
from tests.limits.simulated_time import SimulatedTime, simulated


def test_many_keys_do_not_fill_the_memory() -> None:
    """Those not used for longest are forgotten."""
    memory = Memory(items=3)
    first = memory.view("a")
    for name in ("b", "c", "a", "d"):
        memory.view(name)

    assert memory.view("a") is first
    assert sorted(memory._views) == ["a", "c", "d"]


def test_a_process_learns_how_often_others_were_there_before_it() -> None:
    """Ten processes by turns, at random times: its guesses are right more often than not."""
    time, table, chance = SimulatedTime(), MemoryTable(before=turn, after=turn), random.Random(5)
    limiters = [DynamoLimiter(table, load(), clock=time) for _ in range(10)]

    async def work() -> int:
        served = 0
        for number in range(400):
            await asyncio.sleep(chance.expovariate(0.9 * 50 / 60))
            try:
                admission = await limiters[number % 10].admit(Caller("abcdefgh", "basic"), 1500)
            except RateLimited:
                continue
            pending = admission.settle(None)
            assert pending is not None
            await pending
            served += 1
        return served

    served = simulated(work(), time)

    assert len(table.writes) <= 2.6 * served


def test_a_gate_lets_so_many_through_at_once() -> None:
    """The others wait, and are told that they have; a gate that nobody uses is gone."""
    gates, inside, most, waited = Gates(3), 0, 0, []

    async def one() -> None:
        nonlocal inside, most
        async with gates.through("a") as had_to_wait:
            waited.append(had_to_wait)
            inside += 1
            most = max(most, inside)
            await asyncio.sleep(0)
            inside -= 1

    async def work() -> None:
        await asyncio.gather(*(one() for _ in range(10)))

    asyncio.run(work())

    assert (most, waited, gates._gates, gates._inside) == (3, [False] * 3 + [True] * 7, {}, {})


def test_who_is_cancelled_before_a_gate_leaves_no_trace() -> None:
    """Nor does who fails behind it."""
    gates = Gates(1)

    async def hold(behind: asyncio.Event) -> None:
        async with gates.through("a"):
            await behind.wait()
            raise ValueError

    async def work() -> None:
        behind = asyncio.Event()
        holders = [asyncio.create_task(hold(behind)) for _ in range(2)]
        await asyncio.sleep(0)
        holders[1].cancel()
        behind.set()
        outcomes = await asyncio.gather(*holders, return_exceptions=True)
        assert [type(outcome) for outcome in outcomes] == [ValueError, asyncio.CancelledError]

    asyncio.run(work())

    assert (gates._gates, gates._inside) == ({}, {})


def test_a_crowd_before_the_first_refusal_is_a_few_calls() -> None:
    """A thousand attempts at one moment: those who wait learn from those who did not."""
    time, table = SimulatedTime(), MemoryTable(before=turn, after=turn)
    limiter = DynamoLimiter(table, load(), clock=time)

    async def one() -> bool:
        try:
            await limiter.admit(Caller("abcdefgh", "basic"), 10)
        except RateLimited:
            return False
        return True

    async def work() -> int:
        return sum(await asyncio.gather(*(one() for _ in range(1000))))

    assert simulated(work(), time) == 10
    assert len(table.writes) < 100

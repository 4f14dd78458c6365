"""A client that keeps to its limit by its own counting never meets it, whatever its rhythm and whoever serves it."""

import asyncio

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from megallm.keys import Caller, Limits
from megallm.limits.tiers import load
from megallm.messages.events import Usage
from megallm.stores.limits import DynamoLimiter
from tests.limits.memory_table import MemoryTable, turn
from tests.limits.simulated_time import SimulatedTime, simulated

REQUESTS = 7  # sixty seconds cannot be divided by it: what is rounded must not be to the client's harm
CALLER = Caller("abcdefgh", "enterprise", Limits(REQUESTS, 10**9, 20))
MILLISECONDS = 1000


@settings(max_examples=200, deadline=None)
@given(
    st.lists(
        st.tuples(st.sampled_from([0, 0, 1, 999, 8571, 8572, 30_000, 60_000, 61_000]), st.integers(0, 2)), max_size=40
    )
)
def test_never_more_than_the_limit_in_any_minute_is_never_refused(steps: list[tuple[int, int]]) -> None:
    """As late as the client wishes, or as soon as the minute since the seventh before is over; three processes."""
    time = SimulatedTime()
    table = MemoryTable(before=turn, after=turn)
    processes = [DynamoLimiter(table, load(), clock=time) for _ in range(3)]

    async def work() -> None:
        arrivals: list[int] = []
        for wait, process in steps:
            wished = (arrivals[-1] if arrivals else 0) + wait
            allowed = arrivals[-REQUESTS] + 60 * MILLISECONDS if len(arrivals) >= REQUESTS else 0
            arrivals.append(max(wished, allowed))
            await asyncio.sleep(arrivals[-1] / MILLISECONDS - time.seconds)
            pending = (await processes[process].admit(CALLER, 10)).settle(Usage(input_tokens=10))
            assert pending is not None
            await pending

    simulated(work(), time)


@pytest.mark.parametrize("killed", [0, 20])
def test_as_many_at_one_moment_as_are_allowed_are_let_in_by_as_many_processes(killed: int) -> None:
    """Functions start by the dozen; nobody is told that they come too fast. Also where dead calls are to be swept."""
    time = SimulatedTime()
    table = MemoryTable(before=turn, after=turn)
    caller = Caller("abcdefgh", "enterprise", Limits(50, 10**9, 50))

    def process() -> DynamoLimiter:
        return DynamoLimiter(table, load(), clock=time)

    async def work() -> int:
        for _ in range(killed):
            (await process().admit(caller, 10))._timer.cancel()
        await asyncio.sleep(120)
        return len(await asyncio.gather(*(process().admit(caller, 10) for _ in range(50))))

    assert simulated(work(), time) == 50

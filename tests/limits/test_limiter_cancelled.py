"""An admit that is cancelled: whatever it took is given back, and its caller does not wait for that."""

import asyncio

import pytest

from megallm.limits.state import Settle
from tests.limits.desk import CALLER, Desk, settle


@pytest.mark.parametrize("turns", range(14))
def test_a_cancelled_admit_gives_back_what_it_took(turns: int) -> None:
    """At whatever point: before its write is applied, or between that and its answer."""
    desk = Desk()

    async def work() -> None:
        await settle(await desk.one())
        before = desk.state.tokens
        admitting = asyncio.create_task(desk.limiter.admit(CALLER, 5000))
        for _ in range(turns):
            await asyncio.sleep(0)
        if admitting.done():
            return
        admitting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await admitting
        assert (desk.state.leases, desk.state.tokens) == ({}, before)

    desk.run(work)


def test_a_cancelled_admit_does_not_wait_long_for_a_slow_table() -> None:
    """A function whose time is over has its client to tell; the giving back goes on."""
    desk = Desk()

    async def slow() -> None:
        await asyncio.sleep(1.5)

    async def work() -> None:
        desk.table.before = slow
        admitting = asyncio.create_task(desk.limiter.admit(CALLER, 5000))
        await asyncio.sleep(0.1)
        admitting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await admitting
        assert desk.time.seconds == pytest.approx(0.6)
        await asyncio.sleep(10)
        assert (desk.state.leases, len(desk.table.of(Settle))) == ({}, 1)

    desk.run(work)


def test_an_admit_cancelled_twice_still_gives_back() -> None:
    """The second cancellation does not wait; the giving back goes on."""
    desk = Desk()

    async def work() -> None:
        admitting = asyncio.create_task(desk.limiter.admit(CALLER, 5000))
        await asyncio.sleep(0)
        admitting.cancel()
        await asyncio.sleep(0)
        admitting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await admitting
        await asyncio.sleep(1)
        assert (desk.state.leases, len(desk.table.of(Settle))) == ({}, 1)

    desk.run(work)


def test_a_cancelled_admit_that_would_have_been_refused_is_just_cancelled() -> None:
    """Nothing is to be given back."""
    desk = Desk()

    async def work() -> None:
        await desk.admitted(10)
        admitting = asyncio.create_task(desk.limiter.admit(CALLER, 10))
        await asyncio.sleep(0)
        admitting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await admitting

    desk.run(work)

    assert desk.table.of(Settle) == []

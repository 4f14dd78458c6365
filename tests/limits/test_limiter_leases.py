"""The lease of a call: renewed while it runs, over when its process is gone, and settled late."""

import asyncio

from megallm.limits.state import MINUTE, Charge, Renew
from megallm.messages.events import Usage
from tests.limits.desk import CALLER, Desk, settle


def test_a_lease_is_renewed_while_its_call_runs() -> None:
    """Every 20 s; a long stream keeps its slot, and takes no other."""
    desk = Desk()

    async def work() -> None:
        admissions = await desk.admitted(10)
        await asyncio.sleep(15 * 60)
        await desk.refusal()
        for admission in admissions:
            await settle(admission)
        await asyncio.sleep(60)

    desk.run(work)

    assert len(desk.table.of(Renew)) == 10 * 15 * 60 // 20
    assert desk.state.leases == {}


def test_a_killed_process_is_healed_by_its_leases_within_a_minute() -> None:
    """Its slots return, its tokens stay charged (C37)."""
    desk = Desk()

    async def work() -> None:
        killed = desk.process()
        for _ in range(10):
            (await killed.admit(CALLER, 1000))._timer.cancel()
        charged = desk.state.tokens
        await asyncio.sleep(59)
        await desk.refusal()
        await asyncio.sleep(1)
        await desk.admitted(10)
        assert desk.state.tokens > charged

    desk.run(work)


def test_what_a_call_used_is_charged_even_after_its_lease_has_ended() -> None:
    """Its process may have been suspended; the slot is another's by then, and stays so."""
    desk = Desk()

    async def work() -> None:
        late = await desk.one(tokens=100)
        late._timer.cancel()
        await asyncio.sleep(61)
        await desk.admitted(1, tokens=100)
        before = desk.state
        await settle(late, Usage(10_100))
        assert desk.state.leases == before.leases
        assert desk.state.tokens == before.tokens + 10_000 * MINUTE // 100_000

    desk.run(work)

    assert len(desk.table.of(Charge)) == 1


def test_a_renewal_that_arrives_late_takes_no_slot() -> None:
    """After its call was settled."""
    desk = Desk()

    async def work() -> None:
        admission = await desk.one()
        await settle(admission)
        await admission._renew()
        assert desk.state.leases == {}

    desk.run(work)

"""What a refusal tells, how long it is remembered, and what ends that."""

import asyncio

from megallm.messages.events import Usage
from tests.limits.desk import CALLER, Desk, settle


def test_a_refused_slot_is_told_to_come_back_soon() -> None:
    """Not in a minute; and with the headers of any response."""
    desk = Desk()

    async def work() -> None:
        admissions = await desk.admitted(10)
        refused = await desk.refusal()
        assert refused.headers == {"retry-after": "1", **admissions[0].headers}
        assert (
            refused.message == "This key may have 10 requests under way at one time and has them: try again in 1 second"
        )

    desk.run(work)


def test_the_next_slot_that_comes_free_is_taken_at_once() -> None:
    """A settlement in this process ends what it remembers of the refusal."""
    desk = Desk()

    async def work() -> None:
        admissions = await desk.admitted(10)
        await desk.refusal()
        await settle(admissions[0])
        await desk.admitted(1)
        await desk.refusal()

    desk.run(work)


def test_a_hammering_client_costs_no_writes() -> None:
    """Refusals are remembered until the time that they tell."""
    desk = Desk()

    async def work() -> None:
        for _ in range(5):
            for admission in await desk.admitted(10):
                await settle(admission)
        await desk.refusal()
        before = len(desk.table.writes)
        for _ in range(1000):
            await desk.refusal()
        assert len(desk.table.writes) == before

    desk.run(work)


def test_tokens_given_back_elsewhere_are_found_within_seconds() -> None:
    """A refusal of tokens is not believed for longer: another process may settle for less than was reserved."""
    desk = Desk()

    async def work() -> None:
        other = desk.process()
        large = await other.admit(CALLER, 100_000)
        refused = await desk.refusal(tokens=50_000)
        assert refused.headers["retry-after"] == "30"
        await settle(large, Usage(10))
        await asyncio.sleep(5)
        await desk.admitted(1, tokens=50_000)

    desk.run(work)


def test_a_smaller_request_passes_where_a_larger_one_was_refused() -> None:
    """What is remembered of tokens holds for as many."""
    desk = Desk()

    async def work() -> None:
        await desk.admitted(1, tokens=60_000)
        await desk.refusal(tokens=50_000)
        await desk.admitted(1, tokens=40_000)

    desk.run(work)

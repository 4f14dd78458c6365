"""The limiter over a table in memory: what it writes for a request, charges for it and lets in."""

import asyncio

from megallm.keys import Caller, Limits
from megallm.limits.state import MINUTE, Settle
from megallm.messages.events import Usage
from tests.limits.desk import Desk, settle


def test_a_warm_request_is_two_writes() -> None:
    """One to admit, one to settle; the very first takes one more, which finds that there is no item yet."""
    desk = Desk()

    async def work() -> None:
        for _ in range(20):
            await settle(await desk.one())

    desk.run(work)

    assert len(desk.table.writes) == 41


def test_settling_charges_what_was_used_and_frees_the_slot() -> None:
    """More than was reserved, or less (C38)."""
    desk = Desk()

    async def work() -> None:
        for usage in (Usage(input_tokens=300, output_tokens=700, cache_read_input_tokens=10**6), Usage(), None):
            await settle(await desk.one(tokens=100), usage)

    desk.run(work)

    assert desk.state.leases == {}
    assert desk.state.tokens == desk.time() + (1000 + 0 + 100) * MINUTE // 100_000


def test_an_admission_is_settled_once() -> None:
    """However often it is asked to."""
    desk = Desk()

    async def work() -> None:
        admission = await desk.one()
        await settle(admission, Usage(500))
        assert admission.settle(Usage(500)) is None

    desk.run(work)

    assert len(desk.table.of(Settle)) == 1


def test_a_refusal_consumes_nothing() -> None:
    """Of any limit (C36)."""
    desk = Desk()

    async def work() -> None:
        await desk.admitted(10)
        before = desk.state
        await desk.refusal()
        await desk.refusal(process=desk.process())
        assert (desk.state.requests, desk.state.tokens, desk.state.leases) == (
            before.requests,
            before.tokens,
            before.leases,
        )

    desk.run(work)


def test_a_client_within_its_rate_never_sees_a_refusal() -> None:
    """50 at once, a minute later 50 more, and so on: never more than 50 in any 60 s."""
    desk = Desk()

    async def work() -> None:
        for _ in range(20):
            for _ in range(5):
                for admission in await desk.admitted(10):
                    await settle(admission, Usage(5))
            await asyncio.sleep(60)

    desk.run(work)


def test_a_raised_limit_holds_from_the_next_request_on() -> None:
    """And what was used before stays used, as a part of the minute."""
    desk = Desk()

    async def work() -> None:
        for _ in range(5):
            for admission in await desk.admitted(10):
                await settle(admission)
        await desk.refusal()
        await asyncio.sleep(30)
        enterprise = Caller("abcdefgh", "enterprise", Limits(1000, 10**6, 50))
        for admission in await desk.admitted(40, caller=enterprise):
            await settle(admission)

    desk.run(work)


def test_closing_it_closes_the_table() -> None:
    """Its connections."""
    desk = Desk()

    desk.run(desk.limiter.aclose)

    assert desk.table.closed

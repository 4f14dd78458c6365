"""The limiter while its table does not answer, or has an item with too many writes."""

import asyncio

import pytest

from megallm.errors import InternalError
from megallm.stores.limits_table import NoAnswer, TooFast
from tests.limits.desk import CALLER, Desk, settle
from tests.limits.memory_table import turn


def test_a_table_that_does_not_answer_lets_nobody_in() -> None:
    """A limit that cannot be checked is not given away: the operator pays for what passes. The SDKs try again."""
    desk = Desk()

    async def fail() -> None:
        raise NoAnswer

    async def work() -> None:
        desk.table.before = fail
        with pytest.raises(InternalError) as caught:
            await desk.limiter.admit(CALLER, 10)
        assert (caught.value.status, caught.value.retryable) == (500, True)
        assert caught.value.message == "The gateway could not check this key's limits: their table did not answer"

    desk.run(work)


def test_a_table_that_does_not_answer_fails_no_call_that_has_its_reply() -> None:
    """What could not be settled is healed by the lease."""
    desk = Desk()

    async def fail() -> None:
        raise NoAnswer

    async def work() -> None:
        admission = await desk.one()
        desk.table.before = fail
        await settle(admission)

    desk.run(work)


def test_an_item_that_gets_too_many_writes_is_left_alone_for_a_second() -> None:
    """Its key is told to come back."""
    desk = Desk()
    calls = []

    async def fail() -> None:
        calls.append(1)
        raise TooFast

    async def work() -> None:
        desk.table.before = fail
        refusals = [await desk.refusal() for _ in range(5)]
        assert len(calls) == 1
        assert (
            refusals[0].message
            == "The requests of this key come faster than they can be counted: try again in 1 second"
        )
        assert refusals[0].headers["retry-after"] == "1"
        desk.table.before = turn
        await asyncio.sleep(1)
        await desk.admitted(1)

    desk.run(work)

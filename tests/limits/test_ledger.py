"""The ledger: what a call adds to its key's figures, in which month, and what is kept of it."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta

import pytest

from megallm.keys import Caller
from megallm.limits.decide import FORGET_SECONDS
from megallm.limits.ledger import KEPT_MONTHS, Count, Used, count_of, month_at, month_read, month_written
from megallm.limits.shards import CONCURRENT_PER_ITEM
from megallm.limits.state import SECOND, Charge, Settle
from megallm.limits.tiers import load
from megallm.messages.events import Usage
from megallm.stores.limits import DynamoLimiter
from megallm.stores.limits_wire import to_wire
from tests.limits.memory_table import MemoryTable
from tests.limits.simulated_time import SimulatedTime, simulated

CALLER = Caller("abcdefgh", "basic")
TOKENS = Usage(input_tokens=60, output_tokens=40)
USED = Used(requests=1, input_tokens=60, output_tokens=40, nanodollars=1500)
TWICE = Used(requests=2, input_tokens=120, output_tokens=80, nanodollars=3000)
JANUARY, DAY = 12, 86_400  # simulated time begins on 2027-01-15


def run(work: Callable[[DynamoLimiter], Awaitable[None]]) -> MemoryTable:
    """The table after that work, by one process."""
    time, table = SimulatedTime(), MemoryTable()

    async def main() -> None:
        await work(DynamoLimiter(table, load(), clock=time, renew_seconds=20))

    simulated(main(), time)
    return table


async def call(limiter: DynamoLimiter, used: Used | None = USED) -> None:
    pending = (await limiter.admit(CALLER, 100)).settle(TOKENS, used)
    assert pending is not None
    await pending


def utc(text: str) -> float:
    return datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()


@pytest.mark.parametrize(
    ("moment", "month"),
    [
        ("2026-01-01T00:00:00", "2026-01"),
        ("2026-11-30T23:59:59", "2026-11"),
        ("2026-12-01T00:00:00", "2026-12"),
        ("2027-01-01T00:00:00", "2027-01"),
        ("2034-05-31T23:59:59", "2034-05"),
    ],
)
def test_a_month_begins_with_its_first_second_in_utc(moment: str, month: str) -> None:
    """And is read as it is written."""
    assert month_written(month_at(utc(moment))) == month
    assert month_read(month) == month_at(utc(moment))


@pytest.mark.parametrize(
    "text", ["", "2026", "2026-13", "2026-00", "2026-1", "2025-12", "26-11", "2026-11-1", "२०२६-११"]
)
def test_what_is_no_month_is_none(text: str) -> None:
    """Nor is one before there was a ledger."""
    assert month_read(text) is None


def test_a_clock_before_the_first_month_counts_in_it() -> None:
    """A negative number would be no name of an attribute."""
    assert month_at(0) == 0


def test_months_that_are_kept_no_longer_go_with_the_next_call() -> None:
    """Also those of a key that was idle for long; a later one, by another's clock, stays."""
    now = int(utc("2026-11-15T00:00:00"))
    november = month_at(now)

    assert count_of(USED, now, frozenset(range(november + 2))) == Count(november, USED, tuple(range(november - 2)))


def test_prices_that_are_not_known_are_no_summand() -> None:
    """They neither spoil the sum nor make one."""
    nothing = Used(requests=1)

    assert nothing.plus(nothing).nanodollars is None
    assert [nothing.plus(USED), USED.plus(nothing)] == [Used(2, 60, 0, 0, 40, 1500)] * 2


def test_a_call_is_counted_by_the_write_that_settles_it() -> None:
    """So it costs none."""

    async def work(limiter: DynamoLimiter) -> None:
        for _ in range(2):
            await call(limiter)

    table = run(work)

    assert table.ledgers == {"abcdefgh": {JANUARY: TWICE}}
    assert [type(write) for _, write in table.writes].count(Settle) == 2
    assert len(table.writes) == 5  # the first finds that there is no item


def test_a_call_that_is_charged_nothing_is_not_counted() -> None:
    """The key has no ledger then."""

    async def work(limiter: DynamoLimiter) -> None:
        await call(limiter, None)

    assert run(work).ledgers == {}


def test_each_month_has_its_own_figures_and_the_oldest_goes() -> None:
    """This one and the two before are kept."""

    async def work(limiter: DynamoLimiter) -> None:
        for _ in range(5):  # the 15th of January, 14th of February, 16th of March, 15th of April and of May
            await call(limiter)
            await asyncio.sleep(30 * DAY)

    table = run(work)

    assert table.ledgers == {"abcdefgh": {JANUARY + 2: USED, JANUARY + 3: USED, JANUARY + 4: USED}}
    assert table.items["abcdefgh"].months == {JANUARY + 2, JANUARY + 3, JANUARY + 4}


def test_a_call_counts_in_the_month_in_which_it_ends() -> None:
    """It was let in on the 31st."""

    async def work(limiter: DynamoLimiter) -> None:
        await asyncio.sleep(17 * DAY - 8 * 3600 - 5)  # it begins at 8 o'clock
        admission = await limiter.admit(CALLER, 100)
        await asyncio.sleep(10)
        pending = admission.settle(TOKENS, USED)
        assert pending is not None
        await pending

    assert run(work).ledgers == {"abcdefgh": {JANUARY + 1: USED}}


@pytest.mark.parametrize("used_tokens", [60, 200])
def test_a_call_whose_lease_has_ended_is_counted_all_the_same(used_tokens: int) -> None:
    """Also where it used exactly what was reserved, so that nothing else is to be corrected."""

    async def work(limiter: DynamoLimiter) -> None:
        late = await limiter.admit(CALLER, 100)
        late._timer.cancel()
        await asyncio.sleep(61)
        await call(limiter)
        pending = late.settle(Usage(input_tokens=used_tokens, output_tokens=40), USED)
        assert pending is not None
        await pending

    table = run(work)

    assert table.ledgers == {"abcdefgh": {JANUARY: TWICE}}
    assert len(table.of(Charge)) == 1


def test_an_item_lives_as_long_as_its_months_are_kept() -> None:
    """Whichever day it was that somebody was let in last: to the end of the second month after that."""
    first = datetime(2027, 1, 1, tzinfo=UTC)
    for last_use in (first + timedelta(days=day, hours=23) for day in range(5 * 366)):
        month = month_at(last_use.timestamp())
        forgotten = last_use + timedelta(seconds=FORGET_SECONDS)
        assert month_at(forgotten.timestamp()) >= month + KEPT_MONTHS


def test_a_full_item_with_three_months_is_one_write_unit() -> None:
    """A write is billed by the kilobyte: fifty calls under way, all lines used, and months of 12,345 dollars."""
    moment, figure = str(1_900_000_000 * SECOND + 123_456_789), 12_345_678_901_234
    busy = Used(123_456_789, figure // 1000, figure // 1000, figure // 10_000, figure // 10_000, figure)
    size = _number("rt", moment) + _number("tt", moment) + sum(_number(name, moment) for name in ("rq", "tq", "lq"))
    size += len("id") + len("abcdefgh") + _number("ttl", "1900000000")
    size += len("lz") + 3 + CONCURRENT_PER_ITEM * (1 + _number("12345678", "1900000000"))
    for month in range(97, 100):
        request = to_wire("limits", "abcdefgh", Charge(0, Count(month, busy)))
        added = request["UpdateExpression"].partition(" ADD ")[2].split(", ")
        assert len(added) == 6
        for name, placeholder in (add.split() for add in added):
            size += _number(name, request["ExpressionAttributeValues"][placeholder]["N"])

    assert size <= 1024


def _number(name: str, digits: str) -> int:
    """As https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/CapacityUnitCalculations.html has it."""
    return len(name) + -(-len(digits) // 2) + 1

"""The limiter over a table in memory: what it writes, what it remembers, and that every exit gives back."""

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from megallm.errors import InternalError, RateLimited
from megallm.keys import Caller, Limits
from megallm.limits.state import MINUTE, SECOND, Admit, Charge, Queue, Renew, Settle, State, Write
from megallm.limits.tiers import load
from megallm.limits.waiting import USUAL_CALL_SECONDS
from megallm.messages.events import Usage
from megallm.stores.limits import DynamoLimiter
from megallm.stores.limits_admission import Admission
from megallm.stores.limits_table import NoAnswer, TooFast
from tests.limits.memory_table import MemoryTable, turn
from tests.limits.simulated_time import SimulatedTime, simulated

CALLER = Caller("abcdefgh", "basic")


class Desk:
    """A limiter, its table and its time; further processes can be had."""

    def __init__(self, table: MemoryTable | None = None) -> None:
        self.time = SimulatedTime()
        self.table = table or MemoryTable(before=turn, after=turn)
        self.limiter = self.process()

    def process(self, *, ahead: int = 0) -> DynamoLimiter:
        return DynamoLimiter(
            self.table, load(), clock=lambda: self.time() + ahead * SECOND, fraction=lambda: 0.5, renew_seconds=20
        )

    @property
    def state(self) -> State:
        return self.table.items["abcdefgh"]

    async def admitted(self, count: int, *, tokens: int = 10, caller: Caller = CALLER) -> list[Admission]:
        return [await self.limiter.admit(caller, tokens) for _ in range(count)]

    async def one(self, *, tokens: int = 10) -> Admission:
        return await self.limiter.admit(CALLER, tokens)

    async def refusal(self, *, tokens: int = 10, process: DynamoLimiter | None = None) -> RateLimited:
        with pytest.raises(RateLimited) as caught:
            await (process or self.limiter).admit(CALLER, tokens)
        return caught.value

    def run(self, work: Callable[[], Awaitable[None]]) -> None:
        async def main() -> None:
            await work()

        simulated(main(), self.time)


async def settle(admission: Admission, usage: Usage | None = None) -> None:
    pending = admission.settle(usage)
    assert pending is not None
    await pending


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


@pytest.mark.parametrize("processes", [1, 20])
def test_those_refused_together_are_told_different_times(processes: int) -> None:
    """One after the other, as the limit lets them in: from one process, and from many that share the line."""
    desk = Desk()

    async def work() -> None:
        for _ in range(5):
            for admission in await desk.admitted(10):
                await settle(admission)
        limiters = [desk.limiter, *(desk.process() for _ in range(processes - 1))]
        refusals = await asyncio.gather(*(desk.refusal(process=limiters[turn % processes]) for turn in range(20)))
        assert sorted(int(refusal.headers["retry-after"]) for refusal in refusals) == [
            -(-12 * place // 10) for place in range(1, 21)
        ]

    desk.run(work)


def test_nobody_is_told_more_than_a_minute_for_requests() -> None:
    """Older SDKs do not believe in more. Who finds the line full is told any time within it."""
    desk = Desk()

    async def work() -> None:
        for _ in range(5):
            for admission in await desk.admitted(10):
                await settle(admission)
        waits = [int((await desk.refusal()).headers["retry-after"]) for _ in range(200)]
        assert (max(waits), waits[-1]) == (60, 31)

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


def test_clocks_two_seconds_apart_stay_within_two_seconds_of_the_rate() -> None:
    """Whoever's clock it is; and nobody is locked out: each process gets its share of what is asked for."""
    desk = Desk()
    admitted = {0: 0, 2: 0}

    async def work() -> None:
        processes = {ahead: desk.process(ahead=ahead) for ahead in admitted}
        for step in range(1200):  # ten minutes, four times as much as is allowed
            await asyncio.sleep(0.5)
            ahead = (0, 2)[step % 2]
            for _ in range(2):
                try:
                    admission = await processes[ahead].admit(CALLER, 10)
                except RateLimited:
                    continue
                await settle(admission, Usage(5))
                admitted[ahead] += 1

    desk.run(work)

    rate, minutes = 50, 10
    assert abs(sum(admitted.values()) - rate * (minutes + 1)) <= rate * 2 / 60 + 1
    assert min(admitted.values()) > 0


def test_a_process_whose_clock_is_behind_is_not_locked_out() -> None:
    """Alone after the other stopped, it soon gets its full rate."""
    desk = Desk()

    async def work() -> None:
        ahead = desk.process(ahead=2)
        for _ in range(5):
            for _ in range(10):
                await settle(await ahead.admit(CALLER, 10))
        await asyncio.sleep(3.3)
        await desk.admitted(1)

    desk.run(work)


def test_a_wrong_clock_that_used_many_tokens_locks_nobody_out() -> None:
    """What it wrote is put right by the next request, and the key has its rates again a minute later."""
    desk = Desk()

    async def work() -> None:
        await settle(await desk.process(ahead=3600).admit(CALLER, 60_000))
        await settle(await desk.one(tokens=1000))
        await asyncio.sleep(60)
        for _ in range(10):
            await settle(await desk.one(tokens=10_000))
        await desk.refusal(tokens=10_000)

    desk.run(work)


def test_a_spread_key_is_let_in_as_long_as_one_of_its_items_has_room() -> None:
    """It asks up to three of them; over all of them never more than the whole is let in."""
    desk = Desk()
    caller = Caller("abcdefgh", "enterprise", Limits(6000, 10**8, 100))

    async def work() -> None:
        admitted = 0
        for _ in range(200):
            try:
                await desk.limiter.admit(caller, 10)
            except RateLimited:
                continue
            admitted += 1
        assert 95 <= admitted <= 100
        assert sorted(len(state.leases) for state in desk.table.items.values())[-1] <= 50

    desk.run(work)


def test_a_spread_key_is_let_in_where_only_one_of_its_items_gets_too_many_writes() -> None:
    """That is the refusal of one item; the others are asked, and where none lets it in, it is told."""
    caller = Caller("abcdefgh", "enterprise", Limits(6000, 10**8, 100))
    busy = {"abcdefgh"}

    class Hot(MemoryTable):
        async def update(self, item_id: str, write: Write) -> State:
            if item_id in busy:
                raise TooFast
            return await super().update(item_id, write)

    desk = Desk(Hot(before=turn, after=turn))

    async def work() -> None:
        for admission in await desk.admitted(40, caller=caller):
            await settle(admission)
        busy.add("abcdefgh#1")
        with pytest.raises(RateLimited, match="faster than they can be counted"):
            await desk.limiter.admit(caller, 10)

    desk.run(work)

    assert set(desk.table.items) == {"abcdefgh#1"}


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


def test_places_in_line_are_shared_by_all_processes() -> None:
    """Each is taken by the process that was refused; the others see it."""
    desk = Desk()

    async def work() -> None:
        await desk.admitted(10)
        await asyncio.gather(*(desk.refusal(process=desk.process()) for _ in range(5)))
        assert desk.state.slots_queue == desk.time() + 5 * USUAL_CALL_SECONDS * SECOND // 10
        assert 5 <= len(desk.table.of(Queue)) <= 15
        assert len(desk.table.of(Admit)) == 11 + 5

    desk.run(work)


def test_a_crowd_takes_its_places_together() -> None:
    """Two processes are asked at once: all they refuse have different places, and cost each a few writes."""
    desk = Desk()

    async def work() -> None:
        await desk.admitted(10)
        processes = [desk.process(), desk.process()]
        refusals = await asyncio.gather(*(desk.refusal(process=processes[turn % 2]) for turn in range(60)))
        assert desk.state.slots_queue == desk.time() + 60 * USUAL_CALL_SECONDS * SECOND // 10
        assert sorted(int(refusal.headers["retry-after"]) for refusal in refusals)[-20:] == [
            -(-6 * place // 10) for place in range(41, 61)
        ]
        assert len(desk.table.of(Queue)) <= 10

    desk.run(work)


def test_a_refusal_whose_place_cannot_be_written_is_a_refusal_all_the_same() -> None:
    """Told apart from the others as far as one process can tell."""

    class NoPlaces(MemoryTable):
        async def update(self, item_id: str, write: Write) -> State:
            if isinstance(write, Queue):
                raise NoAnswer
            return await super().update(item_id, write)

    desk = Desk(NoPlaces(before=turn, after=turn))

    async def work() -> None:
        for _ in range(5):
            for admission in await desk.admitted(10):
                await settle(admission)
        refusals = await asyncio.gather(*(desk.refusal() for _ in range(3)))
        assert [refusal.headers["retry-after"] for refusal in refusals] == ["2", "3", "4"]

    desk.run(work)


def test_a_remembered_refusal_takes_its_place_in_the_table_once_a_second() -> None:
    """So that what many processes remember is not told at the same time by all; in between, without a write."""
    desk = Desk()

    async def work() -> None:
        for _ in range(5):
            for admission in await desk.admitted(10):
                await settle(admission)
        writes = []
        for _ in range(3):
            for _ in range(10):
                await desk.refusal()
            writes.append(len(desk.table.of(Queue)))
            await asyncio.sleep(0.5)
        assert writes == [1, 1, 2]

    desk.run(work)


def test_leases_that_count_again_for_a_clock_that_was_set_back_end_again() -> None:
    """They were over, and nobody had to sweep them away; who sees an earlier time cannot know that, for a minute."""
    desk = Desk()

    async def work() -> None:
        killed = desk.process()
        for _ in range(9):
            (await killed.admit(CALLER, 10))._timer.cancel()
        await asyncio.sleep(61)
        await settle(await desk.process().admit(CALLER, 10))
        behind = desk.process(ahead=-30)
        await behind.admit(CALLER, 10)
        assert "10 requests under way" in (await desk.refusal(process=behind)).message
        await asyncio.sleep(30)
        for _ in range(9):
            await behind.admit(CALLER, 10)

    desk.run(work)

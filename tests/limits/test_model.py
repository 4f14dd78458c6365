"""The limiter against a model of it that is slow and plainly right, over any schedule that hypothesis thinks of."""

import asyncio
from dataclasses import dataclass, field
from fractions import Fraction

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from megallm.errors import RateLimited
from megallm.keys import Caller, Limits
from megallm.limits.decide import CLOCKS_APART_SECONDS, LEASE_SECONDS
from megallm.limits.ledger import KEPT_MONTHS, Used, month_at
from megallm.limits.state import SECOND
from megallm.limits.tiers import load
from megallm.messages.events import Usage
from megallm.stores.limits import DynamoLimiter
from megallm.stores.limits_admission import Admission
from megallm.stores.limits_table import Table
from tests.limits.memory_table import MemoryTable, turn
from tests.limits.simulated_time import BEGIN

FULL = Fraction(60)


@dataclass
class Bucket:
    """Holds sixty seconds' worth of an allowance, and each second gives one back: what is left at a moment."""

    left: Fraction = FULL
    at: Fraction = Fraction(0)

    def now(self, now: Fraction) -> Fraction:
        return min(FULL, self.left + now - self.at)

    def take(self, seconds: Fraction, now: Fraction) -> None:
        self.left, self.at = self.now(now) - seconds, now


@dataclass
class Call:
    """One that was admitted: until when its slot is its own, and what was reserved for it under which limits."""

    ends: int
    tokens: int
    limits: Limits


@dataclass
class Model:
    """A key, as the documentation describes it."""

    requests: Bucket = field(default_factory=Bucket)
    tokens: Bucket = field(default_factory=Bucket)
    calls: list[Call] = field(default_factory=list)
    # Over by the clock of somebody who came in later, who may have swept them away or not have known of them. They
    # only matter where the clock is set back after that: then their time is not over any more.
    ended: list[Call] = field(default_factory=list)
    debts: Fraction = Fraction(0)  # all that was ever taken beyond what there was, in seconds

    def refuses(self, limits: Limits, tokens: int, now: Fraction) -> set[str]:
        """Which limits must stand in the way; none, where the request may be let in."""
        wanted = FULL * tokens / limits.tokens_per_minute
        requests_left, tokens_left = self._left(limits, wanted, now)
        reasons = set()
        if requests_left < FULL / limits.requests_per_minute:
            reasons.add("requests")
        if tokens_left < min(wanted, FULL):
            reasons.add("tokens")
        if self._running(self.calls, now) >= limits.concurrent:
            reasons.add("concurrent")
        return reasons

    def may_refuse(self, limits: Limits, tokens: int, now: Fraction) -> set[str]:
        """Which limits may stand in the way."""
        reasons = self.refuses(limits, tokens, now)
        if self._running(self.calls + self.ended, now) >= limits.concurrent:
            reasons.add("concurrent")
        return reasons

    def admit(self, limits: Limits, tokens: int, now: Fraction) -> Call:
        wanted = FULL * tokens / limits.tokens_per_minute
        requests_left, tokens_left = self._left(limits, wanted, now)
        self.requests = Bucket(requests_left, now)
        self.tokens = Bucket(tokens_left, now)
        self.requests.take(FULL / limits.requests_per_minute, now)
        self.tokens.take(wanted, now)
        self.debts += max(Fraction(0), wanted - FULL)
        # Leases of a clock that was wrong, and those that have ended, may be swept away by whoever comes in.
        self.ended += [call for call in self.calls if not self._runs(call, now)]
        self.calls = [call for call in self.calls if self._runs(call, now)]
        call = Call(int(now) + LEASE_SECONDS, tokens, limits)
        self.calls.append(call)
        return call

    def settle(self, call: Call, used: int) -> None:
        more = FULL * (used - call.tokens) / call.limits.tokens_per_minute
        self.tokens.left -= more
        self.debts += max(Fraction(0), more)
        self.calls = [other for other in self.calls if other is not call]
        self.ended = [other for other in self.ended if other is not call]

    def _left(self, limits: Limits, wanted: Fraction, now: Fraction) -> tuple[Fraction, Fraction]:
        requests, tokens = self.requests.now(now), self.tokens.now(now)
        if requests < -CLOCKS_APART_SECONDS:
            # Emptier than empty: the clock was set back. Then the time in between is undone, but this request passes.
            return FULL / limits.requests_per_minute, min(FULL, max(tokens - requests, wanted))
        return requests, tokens

    def _running(self, calls: list[Call], now: Fraction) -> int:
        return sum(self._runs(call, now) for call in calls)

    def _runs(self, call: Call, now: Fraction) -> bool:
        return int(now) < call.ends <= int(now) + LEASE_SECONDS + CLOCKS_APART_SECONDS


@dataclass(frozen=True)
class Refusal:
    """The table refused a request of ``tokens`` under these limits, for one of them."""

    limit: str
    limits: Limits
    tokens: int
    at: Fraction

    def may_be_repeated(self, limits: Limits, tokens: int, now: Fraction) -> bool:
        """Whether a process may say so again without asking."""
        return (
            limits == self.limits
            and 0 <= now - self.at < BELIEVED[self.limit]
            and (self.limit != "tokens" or tokens >= self.tokens)
        )


@dataclass
class Process:
    """A limiter, and what it may remember."""

    limiter: DynamoLimiter
    refusals: list[Refusal] = field(default_factory=list)

    def settled(self) -> None:
        """It knows that there is a slot again, and perhaps tokens."""
        self.refusals = [refusal for refusal in self.refusals if refusal.limit == "requests"]


# Numbers that sixty seconds can be divided by, so that nothing is rounded anywhere.
LIMITS = st.builds(
    Limits,
    requests_per_minute=st.sampled_from([1, 2, 3, 6, 12, 60]),
    tokens_per_minute=st.sampled_from([60, 600, 1000]),
    concurrent=st.integers(1, 4),
)
TOKENS = st.sampled_from([1, 10, 59, 60, 61, 500, 1000, 3000])
PROCESS = st.integers(0, 2)
BELIEVED = {"requests": 5, "tokens": 5, "concurrent": 1}
TOLD = {"requests": "requests per minute", "tokens": "tokens per minute", "concurrent": "requests under way"}


class Schedule(RuleBasedStateMachine):
    """Three processes share a key. Whatever they do, what is let in is what the model lets in."""

    def __init__(self) -> None:
        super().__init__()
        self.key_id = "abcdefgh"
        self.runner = asyncio.Runner()
        self.now = Fraction(BEGIN)
        self.model = Model()
        self.limits = Limits(6, 600, 2)
        self.table = self.make_table()
        self.processes = [self.process() for _ in range(3)]
        self.running: list[tuple[int, Admission, Call]] = []
        self.log: list[Fraction] = []
        self.counted: dict[int, Used] = {}
        self.latest = 0
        self.steady = True

    def make_table(self) -> Table:
        return MemoryTable(before=turn, after=turn)

    def process(self) -> Process:
        return Process(DynamoLimiter(self.table, load(), clock=lambda: int(self.now * SECOND), renew_seconds=3600))

    @initialize(limits=LIMITS)
    def begin(self, limits: Limits) -> None:
        self.limits = limits

    @rule(process=PROCESS, tokens=TOKENS)
    def admit(self, process: int, tokens: int) -> None:
        self._race([process], tokens)

    @rule(processes=st.lists(PROCESS, min_size=2, max_size=6), tokens=TOKENS)
    def race(self, processes: list[int], tokens: int) -> None:
        self._race(processes, tokens)

    @precondition(lambda self: self.running)
    @rule(data=st.data(), used=st.sampled_from([None, 0, 1, 60, 700]))
    def settle(self, data: st.DataObject, used: int | None) -> None:
        process, admission, call = self.running.pop(data.draw(st.integers(0, len(self.running) - 1)))
        counts = None if used == 0 else Used(requests=1, input_tokens=used or 0, nanodollars=used)
        pending = admission.settle(None if used is None else Usage(input_tokens=used), counts)

        async def work() -> None:
            assert pending is not None
            await pending

        self.runner.run(work())
        if counts is not None:
            month = month_at(int(self.now))
            self.counted[month] = self.counted.get(month, Used()).plus(counts)
            self.latest = max(self.latest, month)
        self.model.settle(call, call.tokens if used is None else used)
        self.processes[process].settled()

    @rule(process=PROCESS)
    def crash(self, process: int) -> None:
        """A process dies: nobody settles its calls, and what it remembered is gone."""
        self.running = [call for call in self.running if call[0] != process]
        self.processes[process] = self.process()

    @rule(seconds=st.sampled_from([Fraction(1, 10), 1, 5, 10, 30, 60, 61, 3600, 33 * 86_400]))
    def wait(self, seconds: Fraction) -> None:
        self.now += seconds

    @rule(seconds=st.sampled_from([1, 4, 30, 70, 600, 86_400]))
    def set_the_clock_back(self, seconds: int) -> None:
        self.now -= seconds
        self.steady = False

    @rule(process=PROCESS)
    def come_back_later(self, process: int) -> None:
        """Whatever the clock did: nobody is locked out for longer than their debts, two minutes and what clocks differ.

        This knows nothing of how the limiter or the model put a wrong clock right.
        """
        self.crash(process)  # so that no refusal is remembered
        (outcome,) = self._race([process], self.limits.tokens_per_minute)
        if isinstance(outcome, RateLimited) and TOLD["concurrent"] not in outcome.message:
            self.now += 2 * FULL + CLOCKS_APART_SECONDS + self.model.debts
            (outcome,) = self._race([process], self.limits.tokens_per_minute)
            assert isinstance(outcome, Admission) or TOLD["concurrent"] in outcome.message

    @rule(limits=LIMITS)
    def change_limits(self, limits: Limits) -> None:
        self.limits = limits
        self.log.clear()

    @invariant()
    def no_minute_has_more_than_it_may(self) -> None:
        """In any stretch of time at most the full allowance and what came back meanwhile."""
        if not self.steady:
            return
        rate = Fraction(self.limits.requests_per_minute, 60)
        for first, begin in enumerate(self.log):
            for last in range(first, len(self.log)):
                assert last - first + 1 <= self.limits.requests_per_minute + (self.log[last] - begin) * rate

    async def ledger(self) -> dict[int, Used]:
        """What the table has of the key."""
        assert isinstance(self.table, MemoryTable)
        return self.table.ledgers.get(self.key_id, {})

    def teardown(self) -> None:
        """Each call that was settled is in the ledger once, as long as its month is kept."""
        try:
            found, first = self.runner.run(self.ledger()), self.latest - KEPT_MONTHS + 1
            kept = {month: used for month, used in self.counted.items() if month >= first}
            assert {month: used for month, used in found.items() if month >= first} == kept
        finally:
            self.runner.run(self.table.aclose())
            self.runner.close()

    def _race(self, processes: list[int], tokens: int) -> list[Admission | RateLimited]:
        caller = Caller(self.key_id, "enterprise", self.limits)
        believed = [self._believes(self.processes[number], tokens) for number in processes]

        async def one(number: int) -> Admission | RateLimited:
            try:
                return await self.processes[number].limiter.admit(caller, tokens)
            except RateLimited as refused:
                return refused

        async def all_at_once() -> list[Admission | RateLimited]:
            return await asyncio.gather(*(one(number) for number in processes))

        outcomes = self.runner.run(all_at_once())
        for number, outcome in zip(processes, outcomes, strict=True):
            if isinstance(outcome, Admission):
                assert self.model.refuses(self.limits, tokens, self.now) == set()
                self.running.append((number, outcome, self.model.admit(self.limits, tokens, self.now)))
                self.log.append(self.now)
        for number, outcome, may_believe in zip(processes, outcomes, believed, strict=True):
            if isinstance(outcome, RateLimited):
                self._explain(self.processes[number], outcome, tokens, may_believe)
        return outcomes

    def _believes(self, process: Process, tokens: int) -> set[str]:
        """What this process may refuse for without asking."""
        return {refusal.limit for refusal in process.refusals if refusal.may_be_repeated(self.limits, tokens, self.now)}

    def _explain(self, process: Process, refused: RateLimited, tokens: int, believed: set[str]) -> None:
        """A refusal is the model's too, or one of a moment ago; and its time is honest: a positive whole number."""
        reasons = self.model.may_refuse(self.limits, tokens, self.now)
        told = next(limit for limit, words in TOLD.items() if words in refused.message)
        assert told in reasons | believed
        if told in reasons:
            process.refusals.append(Refusal(told, self.limits, tokens, self.now))
        assert int(refused.headers["retry-after"]) >= 1


Schedule.TestCase.settings = settings(
    max_examples=60, stateful_step_count=40, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
TestSchedule = Schedule.TestCase

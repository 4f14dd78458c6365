"""The batches' own tokens a minute, taken from the limiter in blocks."""

import asyncio

from megallm.batches.model import Counts
from megallm.errors import RateLimited
from megallm.keys import Caller
from megallm.limits.ledger import Used
from megallm.limits.tiers import load
from megallm.messages.events import Usage
from megallm.operations.batch_allowance import BatchAllowance, seconds_needed
from megallm.stores.limits import DynamoLimiter
from tests.limits.memory_table import MemoryTable, turn
from tests.limits.simulated_time import SimulatedTime, simulated
from tests.operations.batches.harness import Scene, inline, message_lines


class Bucket:
    """A limiter with so many tokens a minute, of which a minute's worth may be had at once."""

    def __init__(self, time: SimulatedTime, tokens_a_minute: int) -> None:
        self._time = time
        self._rate = tokens_a_minute / 60
        self._full_at = 0.0
        self.admitted: list[tuple[str, int]] = []
        self.settled: list[int] = []
        self.headers: dict[str, str] = {}

    async def admit(self, caller: Caller, estimated_input_tokens: int) -> "Bucket":
        now, cost = self._time.seconds, estimated_input_tokens / self._rate
        used_until = max(self._full_at, now)
        # As the real one: more than a minute's worth passes when nothing is used, and leaves a debt.
        wait = used_until - now if cost > 60 else used_until + cost - now - 60
        if wait > 0:
            raise RateLimited("Slowly", headers={"retry-after": str(int(wait) + 1)})
        self._full_at = used_until + cost
        self.admitted.append((caller.key_id, estimated_input_tokens))
        return self

    def settle(self, usage: Usage | None, used: Used | None = None) -> None:
        assert usage is not None
        self.settled.append(usage.input_tokens)

    async def aclose(self) -> None:
        """Nothing is open."""


def test_a_batch_is_no_faster_than_its_owners_allowance_and_asks_the_limiter_seldom() -> None:
    """A block of five seconds' worth at a time; what replies used beyond the estimate comes out of the next block."""
    scene = Scene()
    bucket = Bucket(scene.time, 6000)
    allowance = BatchAllowance(bucket, lambda owner: 6000, clock=scene.monotonic, in_thread=inline())
    batch = scene.drop(message_lines("x" * 300 for _ in range(400)))

    async def work() -> None:
        scene.upstream.seconds = 0.1
        await scene.worker(allowance=allowance).run(batch.id, 1)

    scene.run(work())
    scene.finish()

    used = 400 * 10  # in the end a call has used ten tokens, whatever was estimated
    assert scene.batch().counts == Counts(succeeded=400)
    assert {owner for owner, _ in bucket.admitted} == {"batch-operator"}
    assert used <= sum(tokens for _, tokens in bucket.admitted) <= used + 2000
    assert bucket.settled == [tokens for _, tokens in bucket.admitted]
    assert len(bucket.admitted) <= 12


def test_who_has_used_the_allowance_waits() -> None:
    """A minute's worth is there at once; the rest comes at the rate."""
    time = SimulatedTime()
    bucket = Bucket(time, 600)
    allowance = BatchAllowance(bucket, lambda owner: 600, clock=lambda: time.seconds, in_thread=inline())

    async def spend() -> list[float]:
        moments = []
        for _ in range(20):
            await allowance.take("k", 100)
            moments.append(time.seconds)
        return moments

    moments = simulated(spend(), time)

    assert moments[5] == 0.0
    assert 2000 / 10 - 60 - 15 <= moments[-1] <= 2000 / 10 - 60 + 15


def test_over_the_real_limiter_the_rate_is_the_allowance() -> None:
    """A minute's worth at once, and then so many a minute, over two processes together."""
    time = SimulatedTime()
    table = MemoryTable(before=turn, after=turn)

    def allowance() -> BatchAllowance:
        limiter = DynamoLimiter(table, load(), clock=time)
        return BatchAllowance(limiter, lambda owner: 6000, clock=lambda: time.seconds, in_thread=inline())

    async def spend(one: BatchAllowance) -> None:
        for _ in range(100):
            await one.take("k", 100)

    async def both() -> None:
        await asyncio.gather(spend(allowance()), spend(allowance()))

    simulated(both(), time)

    expected = (2 * 100 * 100 - 6000) / 100
    assert expected - 20 <= time.seconds <= expected * 1.25
    assert len(table.writes) < 150


def test_an_owner_without_an_allowance_never_waits() -> None:
    """And the limiter is not asked."""
    time = SimulatedTime()
    bucket = Bucket(time, 1)
    allowance = BatchAllowance(bucket, lambda owner: None, clock=lambda: time.seconds, in_thread=inline())

    simulated(allowance.take("operator", 10**9), time)

    assert bucket.admitted == []


def test_one_owner_who_waits_holds_up_no_other() -> None:
    """Each has an account of its own."""
    time = SimulatedTime()
    bucket = Bucket(time, 60)
    limits = {"slow": 60, "free": None}
    allowance = BatchAllowance(bucket, limits.__getitem__, clock=lambda: time.seconds, in_thread=inline())

    async def both() -> tuple[float, float]:
        async def done(owner: str) -> float:
            for _ in range(3):
                await allowance.take(owner, 1000)
            return time.seconds

        slow, free = await asyncio.gather(done("slow"), done("free"))
        return slow, free

    slow, free = simulated(both(), time)

    assert free == 0.0
    assert slow > 60


def test_the_time_that_a_batch_needs_is_told() -> None:
    """Tokens over tokens a minute."""
    assert seconds_needed(100_000, 50_000) == 120.0
    assert seconds_needed(100_000, None) == 0.0

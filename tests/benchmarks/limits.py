"""What the limiter costs: DynamoDB calls a request, writes under a hammering client, CPU."""

import asyncio
import random
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from typing import Any

from megallm.errors import RateLimited
from megallm.keys import Caller, Limits
from megallm.limits.ledger import Used
from megallm.limits.state import Admit, Restart
from megallm.limits.tiers import load
from megallm.local.isolation import REGION, local_target
from megallm.messages.events import Usage
from megallm.stores.dynamodb_http import DynamoHttp
from megallm.stores.limits import DynamoLimiter
from megallm.stores.limits_wire import to_wire
from megallm.stores.server_clock import ServerClock
from tests.benchmarks.measure import Row
from tests.limits.engines import moto
from tests.limits.memory_table import MemoryTable, turn
from tests.limits.over import LOCAL, TABLE, dynamo_http, limiter_over
from tests.limits.simulated_time import SimulatedTime, simulated

ROOT = Path(__file__).parents[2]

# One item's worth of an enterprise key: no limit is met, and nothing is spread.
WIDE = Caller("wide", "enterprise", Limits(3000, 10**10, 50))
BASIC = Caller("basic", "basic")
WARM_REQUESTS = 1000
HAMMERS_A_SECOND, HAMMER_SECONDS, PROCESSES = 1000, 30, 4
CPU_CALLS, CPU_ROUNDS = 300, 5


def run() -> list[Row]:
    """All of it, in about a minute."""
    with moto() as url:
        calls = asyncio.run(_calls(url))
        writes = asyncio.run(_hammered(url))
    return [*calls, *_shared(), *writes, *_cpu()]


async def _calls(url: str) -> list[Row]:
    """DynamoDB calls of one process, one request after the other."""
    http = _Counting(url)
    limiter = limiter_over(http, time.time_ns)
    await _request(limiter, WIDE)
    first = http.calls
    for _ in range(WARM_REQUESTS):
        await _request(limiter, WIDE)
    warm = (http.calls - first) / WARM_REQUESTS
    before = http.calls
    for _ in range(100):
        await _request(limiter_over(http, time.time_ns), WIDE)
    cold = (http.calls - before) / 100
    await http.aclose()
    return [
        Row(f"DynamoDB calls a request, {WARM_REQUESTS:,} warm ones", f"{warm:.3f}", "≤ 2.1", warm <= 2.1),
        Row("DynamoDB calls of a process's first request of a key", f"{cold:.2f}"),
        Row("DynamoDB calls of a key's very first request", f"{first}"),
    ]


def _shared() -> list[Row]:
    """The same where many processes share a key, each with one request at a time, as functions have them."""
    rows = []
    for used in (0.2, 0.5, 0.9):
        time_, table = SimulatedTime(), MemoryTable(before=turn, after=turn)
        chance = random.Random(4)
        limiters = [DynamoLimiter(table, load(), clock=time_) for _ in range(10)]

        async def work(
            used: float = used, limiters: list[DynamoLimiter] = limiters, chance: random.Random = chance
        ) -> int:
            served = 0
            for number in range(1000):
                await asyncio.sleep(chance.expovariate(used * 50 / 60))
                try:
                    await _request(limiters[number % len(limiters)], BASIC, tokens=1500)
                except RateLimited:
                    continue
                served += 1
            return served

        served = simulated(work(), time_)
        rows.append(
            Row(
                f"… of ten processes by turns, at random times, {used:.0%} of the rate",
                f"{len(table.writes) / served:.2f}",
            )
        )
    return rows


async def _hammered(url: str) -> list[Row]:
    """Attempts on one key that never wait, over some processes."""
    https = [_Counting(url) for _ in range(PROCESSES)]
    limiters = [limiter_over(http, time.time_ns) for http in https]
    admitted = attempts = 0
    running: set[asyncio.Task[None]] = set()

    async def attempt(limiter: DynamoLimiter) -> None:
        nonlocal admitted
        try:
            await _request(limiter, BASIC)
        except RateLimited:
            return
        admitted += 1

    began = time.monotonic()
    while (elapsed := time.monotonic() - began) < HAMMER_SECONDS:
        while attempts < elapsed * HAMMERS_A_SECOND:
            task = asyncio.create_task(attempt(limiters[attempts % PROCESSES]))
            running.add(task)
            task.add_done_callback(running.discard)
            attempts += 1
        await asyncio.sleep(0.005)
    await asyncio.gather(*running)
    for http in https:
        await http.aclose()
    calls = sum(http.calls for http in https) / HAMMER_SECONDS
    return [
        Row(
            f"calls a second, {attempts / HAMMER_SECONDS:,.0f} attempts a second for {HAMMER_SECONDS} s on a Basic key",
            f"{calls:.1f} ({admitted} let in)",
            "≤ 100 (an item can do 1,000)",
            calls <= 100,
        )
    ]


def _cpu() -> list[Row]:
    """CPU of this process, against a stub that answers at once."""
    with _stub() as url:
        http = dynamo_http(url)
        limiter = limiter_over(http, time.time_ns)
        client = local_target(url).dynamodb()
        update = to_wire(TABLE, "wide", Admit("lease", 1, Restart(1, 2), Restart(1, 2), 10, {}, 1, create=False))

        async def ours() -> None:
            await http.call("UpdateItem", update)

        async def boto3() -> None:
            await asyncio.to_thread(lambda: client.update_item(**update))

        async def whole() -> None:
            await _request(limiter, WIDE)

        async def rounds() -> dict[str, list[float]]:
            works = {"ours": ours, "boto3": boto3, "whole": whole}
            results: dict[str, list[float]] = {name: [] for name in works}
            for work in works.values():
                await _timed(work)
            for _ in range(CPU_ROUNDS):
                for name, work in works.items():
                    results[name].append(await _timed(work))
            await http.aclose()
            return results

        micro = {name: median(values) for name, values in asyncio.run(rounds()).items()}
    return [
        Row("CPU of an UpdateItem, boto3 in a thread", f"{micro['boto3']:.0f} µs"),
        Row(
            "CPU of an UpdateItem, ours",
            f"{micro['ours']:.0f} µs",
            "≤ ½ of boto3's",
            micro["ours"] * 2 <= micro["boto3"],
        ),
        Row("CPU of admitting and settling", f"{micro['whole']:.0f} µs"),
    ]


async def _timed(work: Callable[[], Awaitable[None]]) -> float:
    began = time.process_time()
    for _ in range(CPU_CALLS):
        await work()
    return (time.process_time() - began) / CPU_CALLS * 1e6


async def _request(limiter: DynamoLimiter, caller: Caller, *, tokens: int = 400) -> None:
    admission = await limiter.admit(caller, tokens)
    usage = Usage(input_tokens=tokens, output_tokens=100)
    pending = admission.settle(usage, Used(requests=1, input_tokens=tokens, output_tokens=100, nanodollars=tokens))
    assert pending is not None
    await pending


class _Counting(DynamoHttp):
    """Counts its calls."""

    def __init__(self, url: str) -> None:
        super().__init__(endpoint_url=url, region=REGION, credentials=lambda: LOCAL, clock=ServerClock())
        self.calls = 0

    async def call(self, operation: str, request: Mapping[str, object], *, once: bool = False) -> Mapping[str, Any]:
        self.calls += 1
        return await super().call(operation, request, once=once)


@contextmanager
def _stub() -> Iterator[str]:
    """The address of an engine that answers at once, in a process of its own."""
    command = [sys.executable, "-m", "tests.limits.stub_engine"]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            yield f"http://127.0.0.1:{process.stdout.readline().strip()}"
        finally:
            process.terminate()

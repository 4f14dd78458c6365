"""Processes that attack the limiter: threads, each with an event loop and a limiter of its own, many calls at a time.

    python -m tests.limits.hammer '{"url": …}'

Prints how many calls of each scenario all of them got in, and how many writes they tried for that. Time stands still
for them, so that nothing is given back meanwhile: what may be let in is a number. The processes are forked from one
that has loaded what they need.
"""

import asyncio
import json
import multiprocessing
import sys
import threading
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from functools import partial

from megallm.errors import RateLimited
from megallm.keys import Caller, Limits
from megallm.limits.ledger import Used
from megallm.limits.state import SECOND, State, Write
from megallm.limits.tiers import load
from megallm.stores.limits import DynamoLimiter
from megallm.stores.limits_table import DynamoTable
from tests.limits.over import TABLE, dynamo_http
from tests.limits.simulated_time import BEGIN


@dataclass(frozen=True, slots=True)
class Scenario:
    """One key, its limits and what each call does: its tokens, and whether it ends at once or never."""

    key_id: str
    limits: Limits
    tokens: int
    settles: bool
    expected: int


@dataclass(frozen=True, slots=True)
class Attack:
    """What is done. *remembers*: each thread's limiter lives on; else each attempt has a new one.

    The attempts are shared out to the processes, and theirs to their threads.
    """

    url: str
    scenarios: list[Scenario]
    attempts: int
    processes: int
    threads: int
    at_once: int
    remembers: bool
    switch_interval: float

    def to_json(self) -> str:
        """For the command line."""
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str) -> "Attack":
        """What ``to_json`` made."""
        fields = json.loads(text)
        scenarios = [Scenario(**{**entry, "limits": Limits(**entry["limits"])}) for entry in fields.pop("scenarios")]
        return cls(scenarios=scenarios, **fields)


@dataclass(frozen=True, slots=True)
class Count:
    """How many calls were let in, and how many UpdateItems reached for the table."""

    admitted: int
    updates: int


def sum_of(counts: Iterable[Count]) -> Count:
    """Of all of them together."""
    counts = list(counts)
    return Count(sum(count.admitted for count in counts), sum(count.updates for count in counts))


class CountingTable(DynamoTable):
    """Counts the writes of one thread."""

    updates = 0

    async def update(self, item_id: str, write: Write) -> State:
        self.updates += 1
        return await super().update(item_id, write)


def main(attack: Attack) -> list[Count]:
    """What each scenario came to."""
    with multiprocessing.get_context("fork").Pool(attack.processes) as pool:
        return [
            sum_of(pool.map(partial(_by_threads, attack), [scenario] * attack.processes, chunksize=1))
            for scenario in attack.scenarios
        ]


def _by_threads(attack: Attack, scenario: Scenario) -> Count:
    sys.setswitchinterval(attack.switch_interval)
    counts = [Count(0, 0)] * attack.threads

    def run(thread: int) -> None:
        counts[thread] = asyncio.run(_counted(attack, scenario))

    threads = [threading.Thread(target=run, args=(number,)) for number in range(attack.threads)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return sum_of(counts)


async def _counted(attack: Attack, scenario: Scenario) -> Count:
    caller = Caller(scenario.key_id, "enterprise", scenario.limits)
    http = dynamo_http(attack.url)
    table = CountingTable(lambda: http, TABLE)
    tiers = load()

    def limiter() -> DynamoLimiter:
        return DynamoLimiter(table, tiers, clock=lambda: BEGIN * SECOND, renew_seconds=3600)

    async def work(attempts: Iterator[int]) -> int:
        admitted = 0
        for _ in attempts:
            mine = lasting if attack.remembers else limiter()
            try:
                admission = await mine.admit(caller, scenario.tokens)
            except RateLimited:
                continue
            admitted += 1
            pending = admission.settle(None, Used(requests=1)) if scenario.settles else None
            if pending is not None:
                await pending
        return admitted

    lasting = limiter()
    attempts = iter(range(attack.attempts // attack.processes // attack.threads))
    counts = await asyncio.gather(*(work(attempts) for _ in range(attack.at_once)))
    await http.aclose()
    return Count(sum(counts), table.updates)


if __name__ == "__main__":
    print(json.dumps([asdict(count) for count in main(Attack.from_json(sys.argv[1]))]))

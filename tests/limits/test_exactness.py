"""Processes and threads attack one key at once: exactly what its limits allow is let in."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from megallm.limits.ledger import month_at
from megallm.local.isolation import local_target
from megallm.stores.ledger import DynamoLedger
from tests.limits.attack import (
    ATTEMPTS,
    ATTEMPTS_WITHOUT_MEMORY,
    PROCESSES,
    SCENARIOS,
    THREADS,
    counted,
    scenarios,
)
from tests.limits.engines import ENGINES
from tests.limits.hammer import Attack
from tests.limits.over import TABLE
from tests.limits.simulated_time import BEGIN

pytestmark = pytest.mark.slow

NORMAL_INTERVAL, SHORTEST_INTERVAL = 0.005, 1e-6


@pytest.fixture(params=ENGINES, scope="module")
def url(request: pytest.FixtureRequest) -> Iterator[str]:
    """Each engine in turn."""
    with ENGINES[request.param]() as address:
        yield address


@contextmanager
def threads_switched_often(interval: float) -> Iterator[None]:
    """In the process that is moto, too."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(interval)
    try:
        yield
    finally:
        sys.setswitchinterval(before)


@pytest.mark.parametrize("interval", [NORMAL_INTERVAL, SHORTEST_INTERVAL])
def test_exactly_the_limit_is_let_in(url: str, interval: float) -> None:
    """Of 10,000 attempts, for each limit (C36); most are refused by what their process remembers, without a write."""
    attack = Attack(url, scenarios(), ATTEMPTS, PROCESSES, THREADS, 1, remembers=True, switch_interval=interval)

    with threads_switched_often(interval):
        counts = counted(attack)

    assert [count.admitted for count in counts] == [scenario.expected for scenario in SCENARIOS]


def test_exactly_the_limit_is_let_in_where_no_process_remembers_anything(url: str) -> None:
    """As in functions that serve one request each: every attempt of a thousand reaches the table.

    Each call that was settled is in the key's ledger, once.
    """
    attempts = ATTEMPTS_WITHOUT_MEMORY
    attack = Attack(
        url, scenarios(), attempts, PROCESSES, THREADS, 2, remembers=False, switch_interval=SHORTEST_INTERVAL
    )

    counts = counted(attack)

    assert [count.admitted for count in counts] == [scenario.expected for scenario in SCENARIOS]
    assert min(count.updates for count in counts) >= attempts
    assert sum(count.updates for count in counts) >= 1000
    ledger = DynamoLedger(local_target(url).dynamodb(), TABLE).of_month(month_at(BEGIN))
    settled = {scenario.key_id: scenario.expected for scenario in attack.scenarios if scenario.settles}
    assert {key_id: ledger[key_id].requests for key_id in settled} == settled

"""An attack on one key by several processes at once, and what it may get."""

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

from megallm.keys import Limits
from tests.limits.hammer import Attack, Scenario

PROCESSES, THREADS = 4, 4
ATTEMPTS = 10_000

# Each runs into one limit; the others are wide enough for all who try at once, and not so wide that the key is spread
# over several items.
SCENARIOS = [
    Scenario("requests", Limits(100, 10**10, 50), tokens=1, settles=True, expected=100),
    Scenario("tokens", Limits(3000, 100_000, 50), tokens=1600, settles=True, expected=62),
    Scenario("concurrent", Limits(3000, 10**10, 25), tokens=1, settles=False, expected=25),
]


def admitted(attack: Attack) -> list[int]:
    """How many all processes together got in, of each scenario."""
    share = replace(attack, attempts=attack.attempts // PROCESSES)
    command = [sys.executable, "-m", "tests.limits.hammer", share.to_json()]
    processes = [
        subprocess.Popen(
            command, cwd=Path(__file__).parents[2], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        for _ in range(PROCESSES)
    ]
    for process in processes:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
    for process in processes:
        assert process.stdin is not None
        process.stdin.write("go\n")
        process.stdin.flush()
    counts = [process.communicate()[0] for process in processes]
    return [sum(parts) for parts in zip(*map(json.loads, counts), strict=True)]

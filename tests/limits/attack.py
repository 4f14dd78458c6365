"""An attack on one key by several processes at once, and what it may get."""

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from uuid import uuid4

from megallm.keys import Limits
from tests.limits.hammer import Attack, Count, Scenario

PROCESSES, THREADS = 4, 4
ATTEMPTS = 10_000
ATTEMPTS_WITHOUT_MEMORY = 352  # of each of the three limits

# Each runs into one limit; the others are wide enough for all who try at once, and not so wide that the key is spread
# over several items.
SCENARIOS = [
    Scenario("requests", Limits(50, 10**10, 50), tokens=1, settles=True, expected=50),
    Scenario("tokens", Limits(3000, 100_000, 50), tokens=2450, settles=True, expected=40),
    Scenario("concurrent", Limits(3000, 10**10, 25), tokens=1, settles=False, expected=25),
]


def scenarios() -> list[Scenario]:
    """The same with keys of their own: an engine may have been attacked before."""
    return [replace(scenario, key_id=f"{scenario.key_id}-{uuid4().hex}") for scenario in SCENARIOS]


def counted(attack: Attack) -> list[Count]:
    """How many all processes together got in, of each scenario, and with how many writes."""
    command = [sys.executable, "-m", "tests.limits.hammer", attack.to_json()]
    done = subprocess.run(command, cwd=Path(__file__).parents[2], stdout=subprocess.PIPE, text=True, check=True)
    return [Count(**count) for count in json.loads(done.stdout)]

"""Proves the limiter's exactness on any DynamoDB, such as DynamoDB Local: exit status 1 where it is not exact.

    python -m tests.limits.proof http://127.0.0.1:8000

Makes the table "limits" there, and leaves it.
"""

import sys
from dataclasses import replace
from uuid import uuid4

from tests.limits.attack import ATTEMPTS, SCENARIOS, THREADS, admitted
from tests.limits.engines import create_table
from tests.limits.hammer import Attack


def main(url: str) -> int:
    """The exit status."""
    create_table(url)
    wrong = 0
    for remembers, attempts in ((True, ATTEMPTS), (False, ATTEMPTS // 10)):
        # Keys of its own for each run: the table may have been here before.
        scenarios = [replace(scenario, key_id=f"{scenario.key_id}-{uuid4().hex}") for scenario in SCENARIOS]
        counts = admitted(Attack(url, scenarios, attempts, THREADS, 3, remembers=remembers, switch_interval=1e-6))
        for scenario, count in zip(SCENARIOS, counts, strict=True):
            wrong += count != scenario.expected
            memory = "with" if remembers else "without"
            print(f"{scenario.key_id:10} {memory:7} memory: {count} of {attempts} let in, {scenario.expected} allowed")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))

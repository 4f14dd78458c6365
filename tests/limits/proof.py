"""Proves the limiter's exactness on any DynamoDB, such as DynamoDB Local: exit status 1 where it is not exact.

    python -m tests.limits.proof http://127.0.0.1:8000

Makes the table "limits" there, and leaves it.
"""

import sys

from tests.limits.attack import ATTEMPTS, PROCESSES, SCENARIOS, THREADS, counted, scenarios
from tests.limits.engines import create_table
from tests.limits.hammer import Attack


def main(url: str) -> int:
    """The exit status."""
    create_table(url)
    wrong = 0
    for remembers, attempts in ((True, ATTEMPTS), (False, ATTEMPTS // 10)):
        attack = Attack(url, scenarios(), attempts, PROCESSES, THREADS, 3, remembers=remembers, switch_interval=1e-6)
        for scenario, count in zip(SCENARIOS, counted(attack), strict=True):
            wrong += count.admitted != scenario.expected
            memory = "with" if remembers else "without"
            told = f"{count.admitted} of {attempts} let in, {scenario.expected} allowed, {count.updates} writes tried"
            print(f"{scenario.key_id:10} {memory:7} memory: {told}")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))

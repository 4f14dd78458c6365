"""Runs the benchmarks named as arguments, or all; exit status 1 where a target is missed."""

import sys
from collections.abc import Callable

from rich.console import Console
from rich.table import Table

from tests.benchmarks import (
    batches,
    bundle,
    cold_start,
    hundred_thousand,
    indexing,
    invocation,
    limits,
    streaming,
    throughput,
    translation,
)
from tests.benchmarks.measure import Row

BENCHMARKS: dict[str, Callable[[], list[Row]]] = {
    "invocation": invocation.run,
    "translation": translation.run,
    "streaming": streaming.run,
    "cold_start": cold_start.run,
    "bundle": bundle.run,
    "indexing": indexing.run,
    "batches": batches.run,
    "hundred_thousand": hundred_thousand.run,
    "throughput": throughput.run,
    "limits": limits.run,
}


def main(names: list[str]) -> int:
    """The exit status."""
    unknown = set(names) - set(BENCHMARKS)
    if unknown:
        sys.exit(f"unknown: {', '.join(unknown)}; there are: {', '.join(BENCHMARKS)}")
    table = Table("what", "measured", "target", "")
    missed = 0
    for name in names or BENCHMARKS:
        for row in BENCHMARKS[name]():
            missed += not row.met
            verdict = ("[green]met" if row.met else "[red]MISSED") if row.target else ""
            table.add_row(row.what, row.measured, row.target, verdict)
        table.add_section()
    Console().print(table)
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

"""Many lines end to end over the local stack's own stores, as `make run` has them.

The hundred thousand of the benchmark take minutes of moto's time; here are a tenth of them. Over stores in memory,
tests/operations/batches has all of them.
"""

import pytest

from tests.benchmarks.hundred_thousand import Run, expected, measured

pytestmark = pytest.mark.slow

FEW, MANY = 1_000, 10_000


@pytest.fixture(scope="module")
def runs() -> dict[int, Run]:
    """By the number of lines."""
    return {items: measured(items) for items in (FEW, MANY)}


@pytest.mark.parametrize("items", [FEW, MANY])
def test_every_line_has_one_result_and_everything_adds_up(runs: dict[int, Run], items: int) -> None:
    """B01: the upstream answers out of order, and is asked once a line."""
    run = runs[items]

    assert run.results == expected(items)
    assert run.errors == b""
    assert (run.calls, run.asked) == (items, items)
    assert run.manifest["counts"] == {"total": items, "succeeded": items, "errored": 0, "canceled": 0, "expired": 0}
    assert run.manifest["routes"] == {"stub/stub": items}
    usage = run.manifest["usage"]
    assert (usage["input_tokens"], usage["output_tokens"], usage["calls"]) == (7 * items, 3 * items, items)


def test_the_memory_of_the_batch_functions_does_not_grow_with_the_lines(runs: dict[int, Run]) -> None:
    """Ten times the lines are four megabytes more of input: what is kept of each would show."""
    few, many = runs[FEW].peak_mib, runs[MANY].peak_mib

    print(f"\npeak memory: {few:.0f} MiB for {FEW:,} lines, {many:.0f} MiB for {MANY:,}")
    print(f"items a second: {MANY / runs[MANY].seconds:,.0f}")
    assert many - few < 60

"""How the benchmarks measure and report: interleaved rounds, the best or the median, a row beside its target."""

import gc
import time
from collections.abc import Callable
from dataclasses import dataclass
from statistics import median


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the table. A row without a target informs only."""

    what: str
    measured: str
    target: str = ""
    met: bool = True


def cpu_seconds(work: Callable[[], object], times: int) -> float:
    """CPU seconds of one call, as the mean over *times* calls."""
    gc.collect()
    began = time.process_time()
    for _ in range(times):
        work()
    return (time.process_time() - began) / times


def alternate(works: dict[str, Callable[[], object]], *, times: int, rounds: int) -> dict[str, list[float]]:
    """CPU seconds a call of each, round by round in turn, so that a machine that slows down slows all of them."""
    for work in works.values():
        cpu_seconds(work, max(1, times // 10))
    results: dict[str, list[float]] = {name: [] for name in works}
    for _ in range(rounds):
        for name, work in works.items():
            results[name].append(cpu_seconds(work, times))
    return results


def ratio(measured: list[float], reference: list[float]) -> float:
    """The median of the ratios, pair by pair."""
    return median(one / other for one, other in zip(measured, reference, strict=True))

"""Batches: items a second of one worker process in front of a stub upstream, and its memory, by the number of lines.

    python -m tests.benchmarks.batches URL ITEMS CONCURRENCY

is the worker process, with its objects in a folder and its tables in memory: it drops a file, works, finishes, and
prints what it measured.
"""

import asyncio
import json
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from functions.heap import settle
from megallm.batches.model import result_key
from megallm.operations.batch_ports import BatchPorts
from megallm.operations.finish_batch import finish_batch
from megallm.operations.intake_batch import intake_object
from megallm.operations.run_part import Worker
from megallm.providers.http import Http
from tests.batch_fakes import MemoryBatches, MemoryEvents, MemoryQueues, Process, World
from tests.benchmarks.file_objects import FileObjects
from tests.benchmarks.measure import Row
from tests.benchmarks.processes import ROOT, upstream
from tests.benchmarks.servers import translating

ITEMS_A_SECOND = 2000
PARTS_AT_ONCE = 8
ROUNDS = 3  # the best counts: what a shared machine takes away is not the engine's
TEXT = "What is the capital of Italy? Answer in one word. " * 6

KEY = "inbox/messages/in.jsonl"


def run() -> list[Row]:
    """All of it, in about four minutes."""
    with upstream() as url:
        rows = [_memory(url)]
        fast = _fastest(f"{url}/v1", 20_000, 64)
        rows.append(
            Row(
                "items a second, no delay, 64 in flight",
                f"{fast['rate']:,.0f} ({fast['cpu_us']:.0f} µs CPU an item)",
                f"≥ {ITEMS_A_SECOND:,}",
                fast["rate"] >= ITEMS_A_SECOND,
            )
        )
        for concurrency, items, share in ((64, 6_400, 0.95), (512, 25_600, 0.80)):
            ideal = concurrency / 0.2
            rate = _fastest(f"{url}/delay-200/v1", items, concurrency)["rate"]
            rows.append(
                Row(
                    f"items a second, 200 ms delay, {concurrency} in flight",
                    f"{rate:,.0f} ({rate / ideal:.1%} of the ideal)",
                    f"≥ {share:.0%} of {ideal:,.0f}",
                    rate >= share * ideal,
                )
            )
    return rows


def _memory(url: str) -> Row:
    few, many = (_measured(f"{url}/v1", items, 64)["peak_mib"] for items in (1_000, 100_000))
    return Row(
        "peak memory of the worker, 1,000 and 100,000 lines",
        f"{few:.0f} MiB, {many:.0f} MiB",
        "within 50 MiB of each other",
        many - few <= 50,
    )


def _fastest(url: str, items: int, concurrency: int) -> dict[str, float]:
    return max((_measured(url, items, concurrency) for _ in range(ROUNDS)), key=lambda measured: measured["rate"])


def _measured(url: str, items: int, concurrency: int) -> dict[str, float]:
    command = [sys.executable, "-m", "tests.benchmarks.batches", url, str(items), str(concurrency)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, check=True, text=True)
    measured: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return measured


def lines(items: int) -> Iterator[bytes]:
    """About 440 bytes each."""
    for number in range(items):
        row: dict[str, Any] = {  # Any: JSON
            "custom_id": f"row-{number}",
            "params": {
                "model": "claude-test",
                "max_tokens": 100,
                "messages": [{"role": "user", "content": f"{number}: {TEXT}"}],
            },
        }
        yield json.dumps(row).encode() + b"\n"


async def _work(worker: Worker, messages: list[tuple[str, int]]) -> None:
    """As the poller does: so many parts at once."""
    left = iter(messages)

    async def take_turns() -> None:
        for batch_id, number in left:
            await worker.run(batch_id, number)

    await asyncio.gather(*(take_turns() for _ in range(PARTS_AT_ONCE)))


async def main(url: str, items: int, concurrency: int) -> None:
    """The worker process."""
    http = Http()
    world = World()
    with tempfile.TemporaryDirectory() as folder:
        objects = FileObjects(Path(folder))
        process = Process()
        ports = BatchPorts(
            MemoryBatches(world, process), objects, MemoryQueues(world, process), MemoryEvents(world, process), "bucket"
        )
        path = objects.path(KEY)
        path.parent.mkdir(parents=True)
        with path.open("wb") as file:
            file.writelines(lines(items))
        settle()
        batch = intake_object(ports, KEY, "", time.time(), lambda owner: "active")
        worker = Worker(translating(url, http), ports, concurrency=concurrency)
        began, cpu_began = time.perf_counter(), time.process_time()
        await _work(worker, world.part_messages)
        seconds, cpu_seconds = time.perf_counter() - began, time.process_time() - cpu_began
        ended = finish_batch(ports, batch.id, time.time())
        assert ended is not None
        assert ended.counts.succeeded == items, ended.counts
        with objects.path(result_key(batch.id, "results.jsonl")).open("rb") as file:
            assert sum(1 for _ in file) == items
    await http.aclose()
    peak_kib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    measured = {"rate": items / seconds, "cpu_us": cpu_seconds / items * 1e6, "peak_mib": peak_kib / 1024}
    print(json.dumps(measured), flush=True)


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3])))

"""A hundred thousand lines over the local stack's own stores and handlers, from the drop to the manifest.

    python -m tests.benchmarks.hundred_thousand AWS_URL UPSTREAM_URL FOLDER

is the process of the batch functions: it works as `megallm dev` does until a batch has ended, and prints what it took.
The local AWS is in the process that started it, so that the memory is the worker's alone.
"""

import asyncio
import json
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import httpx

from functions.heap import settle
from megallm.composition.batch_ports import batch_ports
from megallm.composition.batches import compose_batches
from megallm.local import aws
from megallm.local.batches import LocalBatches
from megallm.local.isolation import local_target
from megallm.providers.http import Http
from megallm.settings import Settings
from tests.benchmarks.measure import Row
from tests.benchmarks.processes import ROOT, free_port, server
from tests.benchmarks.servers import translating

ITEMS = 100_000
TEXT = "What is the capital of Italy? Answer in one word. " * 6
KEY = "inbox/messages/in.jsonl"
MOST_SECONDS = 900.0


@dataclass(frozen=True, slots=True)
class Run:
    """What became of one file. ``calls`` are those that the upstream counted, ``asked`` the different ones of them.

    ``results`` has the custom_id and the text of each line of results.jsonl, in order.
    """

    results: list[tuple[str, str]]
    errors: bytes
    manifest: dict[str, Any]  # Any: JSON
    calls: int
    asked: int
    seconds: float
    cpu_seconds: float
    peak_mib: float


def run() -> list[Row]:
    """Both sizes, in about four minutes."""
    few, many = measured(1_000), measured(ITEMS)
    whole = many.results == expected(ITEMS) and (many.calls, many.asked) == (ITEMS, ITEMS)
    return [
        Row(
            f"{ITEMS:,} lines over the local stores, one result each, in order", "yes" if whole else "NO", "yes", whole
        ),
        Row(
            "items a second over the local stores",
            f"{ITEMS / many.seconds:,.0f} ({many.cpu_seconds / ITEMS * 1e6:.0f} µs of the worker's CPU an item)",
        ),
        Row(
            "peak memory of the batch functions, 1,000 and 100,000 lines",
            f"{few.peak_mib:.0f} MiB, {many.peak_mib:.0f} MiB",
            "within 60 MiB of each other",
            many.peak_mib - few.peak_mib <= 60,
        ),
    ]


def expected(items: int) -> list[tuple[str, str]]:
    """The results of a run."""
    return [(f"row-{number}", f"re: {number}") for number in range(items)]


def measured(items: int) -> Run:
    """Drops so many lines into a local stack of its own, and waits for their end."""
    local_aws = aws.start()
    try:
        with _upstream() as upstream_url, tempfile.TemporaryDirectory() as folder:
            resources = local_aws.create_resources()
            s3 = local_target(local_aws.endpoint_url).s3()
            body = b"".join(_lines(items))
            s3.put_object(Bucket=resources.bucket, Key=KEY, Body=body)
            command = [sys.executable, "-m", __name__, local_aws.endpoint_url, upstream_url, folder]
            done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=MOST_SECONDS, check=False)
            assert done.returncode == 0, done.stderr[-4000:]
            (batch,) = Path(folder).iterdir()
            calls, asked = httpx.get(f"{upstream_url}/calls").json()
            return Run(
                results=[_told(line) for line in (batch / "results.jsonl").read_bytes().splitlines()],
                errors=(batch / "errors.jsonl").read_bytes(),
                manifest=json.loads((batch / "manifest.json").read_bytes()),
                calls=calls,
                asked=asked,
                **json.loads(done.stdout.splitlines()[-1]),
            )
    finally:
        local_aws.stop()


@contextmanager
def _upstream() -> Iterator[str]:
    port = free_port()
    with server([sys.executable, "-m", "tests.benchmarks.echo_upstream", str(port)], port):
        yield f"http://127.0.0.1:{port}"


def _lines(items: int) -> Iterator[bytes]:
    """About 440 bytes each."""
    for number in range(items):
        messages = [{"role": "user", "content": f"{number}: {TEXT}"}]
        params = {"model": "claude-test", "max_tokens": 100, "messages": messages}
        yield json.dumps({"custom_id": f"row-{number}", "params": params}).encode() + b"\n"


def _told(line: bytes) -> tuple[str, str]:
    row = json.loads(line)
    result = row["result"]
    return row["custom_id"], result["message"]["content"][0]["text"] if result["type"] == "succeeded" else str(result)


async def work(aws_url: str, upstream_url: str, folder: Path) -> None:
    """The process of the batch functions."""
    target = local_target(aws_url)
    queues = {role: target.sqs().get_queue_url(QueueName=f"megallm-{role}")["QueueUrl"] for role in _ROLES}
    urls: dict[str, Any] = {f"{role}_queue_url": url for role, url in queues.items()}
    settings = Settings(batches_bucket=aws.BUCKET, **urls)
    http = Http()
    gateway = replace(translating(f"{upstream_url}/v1", http), settings=settings, batches=batch_ports(settings, target))
    batches = LocalBatches(compose_batches(settings, target, gateway), target, queues, folder)
    settle()
    began = time.perf_counter()
    async with batches.running():
        while not any(folder.glob("*/manifest.json")):  # noqa: ASYNC110, ASYNC240  it is a folder
            await asyncio.sleep(0.05)
        seconds = time.perf_counter() - began
    await http.aclose()
    told = {"seconds": seconds, "cpu_seconds": time.process_time(), "peak_mib": _peak_mib()}
    print(json.dumps(told), flush=True)


_ROLES = ("intake", "work", "finish")


def _peak_mib() -> float:
    """What the process has had in memory at most. ``ru_maxrss`` may be that of the process that started it."""
    status = Path("/proc/self/status")
    if not status.exists():
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    fields = dict(line.split(":", 1) for line in status.read_text().splitlines())
    return int(fields["VmHWM"].removesuffix("kB")) / 1024


if __name__ == "__main__":
    asyncio.run(work(sys.argv[1], sys.argv[2], Path(sys.argv[3])))

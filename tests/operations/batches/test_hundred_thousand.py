"""A hundred thousand lines, end to end, in real time and with real threads and files."""

import asyncio
import random
import time
from dataclasses import replace
from pathlib import Path

import pytest
from pydantic_core import from_json, to_json

from megallm.batches.model import Counts, Spent, result_key
from megallm.operations.finish_batch import finish_batch
from megallm.operations.intake_batch import intake_object
from megallm.operations.run_part import Worker
from tests.batch_fakes import World
from tests.benchmarks.file_objects import FileObjects
from tests.operations.batches.upstream import Upstream

ITEMS = 100_000
KEY = "inbox/messages/in.jsonl"


@pytest.mark.slow
def test_a_hundred_thousand_lines_have_a_hundred_thousand_results(tmp_path: Path) -> None:
    """B01: the upstream answers out of order; one result a line, in the input's order, and everything adds up."""
    chance = random.Random(1)
    upstream = Upstream(seconds=lambda: chance.choice([0.0, 0.0, 0.001, 0.003]))
    world = World()
    objects = FileObjects(tmp_path)
    ports = replace(world.ports(), objects=objects)
    request = {"model": "priced", "max_tokens": 50, "messages": [{"role": "user", "content": "?"}]}
    template = to_json({"custom_id": "row-?", "params": request}) + b"\n"
    objects.put(KEY, b"".join(template.replace(b"?", b"%d" % number) for number in range(ITEMS)))

    batch = intake_object(ports, KEY, "", time.time(), lambda owner: "active")
    worker = Worker(upstream.gateway(), ports, concurrency=64)

    async def work() -> None:
        left = iter(world.part_messages)

        async def take_turns() -> None:
            for batch_id, number in left:
                await worker.run(batch_id, number)

        await asyncio.gather(*(take_turns() for _ in range(8)))

    asyncio.run(work())
    ended = finish_batch(ports, batch.id, time.time())

    assert ended is not None
    assert (ended.state, ended.total, ended.parts) == ("ended", ITEMS, 100)
    assert ended.counts == Counts(succeeded=ITEMS)
    assert ended.spent == Spent(7 * ITEMS, 3 * ITEMS, 44 * ITEMS, ITEMS)
    assert sorted(upstream.calls) == sorted(str(number) for number in range(ITEMS))
    with objects.path(result_key(batch.id, "results.jsonl")).open("rb") as lines:
        for number, line in enumerate(lines):
            told = from_json(line)
            assert told["custom_id"] == f"row-{number}"
            assert told["result"]["message"]["content"] == [{"type": "text", "text": f"re: {number}"}]
    assert number == ITEMS - 1
    manifest = from_json(objects.path(result_key(batch.id, "manifest.json")).read_bytes())
    assert manifest["counts"] == {"total": ITEMS, "succeeded": ITEMS, "errored": 0, "canceled": 0, "expired": 0}
    assert manifest["routes"] == {"upstream/m": ITEMS}

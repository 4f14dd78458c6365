"""Owners whose allowance is used up wait in the queue, not with the workers."""

import asyncio
import random
from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from heapq import heappop, heappush
from itertools import count

import pytest

from megallm.keys import Caller
from megallm.operations.batch_allowance import BatchAllowance
from megallm.operations.part_halt import DELAY_MOST_SECONDS, WAITING_SECONDS, Situation, halt_of, waiting_delay
from megallm.operations.run_part import Worker
from tests.operations.batches.harness import Scene, inline, message_lines
from tests.operations.batches.test_batch_allowance import Bucket
from tests.operations.batches.upstream import Upstream

SLOW, FAST = "slowslow", "fastfast"
INVOCATION_SECONDS = 900


class Buckets:
    """A limiter for several owners of batches, for all processes."""

    def __init__(self, buckets: Mapping[str, Bucket]) -> None:
        self._buckets = buckets

    async def admit(self, caller: Caller, estimated_input_tokens: int) -> Bucket:
        return await self._buckets[caller.key_id.removeprefix("batch-")].admit(caller, estimated_input_tokens)

    async def aclose(self) -> None:
        """Nothing is open."""


class Lambdas:
    """Worker functions: each has one message at a time; messages come after their delay, and go when they are done.

    ``invocations`` and ``seconds`` are what each owner's parts took of them.
    """

    def __init__(self, scene: Scene, processes: int, tokens_a_minute: Mapping[str, int]) -> None:
        self.invocations: Counter[str] = Counter()
        self.seconds: Counter[str] = Counter()
        self.ended: dict[str, float] = {}
        self._scene = scene
        limiter = Buckets({owner: Bucket(scene.time, rate) for owner, rate in tokens_a_minute.items()})
        self._workers = [
            scene.worker(
                allowance=BatchAllowance(
                    limiter, tokens_a_minute.__getitem__, clock=scene.monotonic, in_thread=inline()
                )
            )
            for _ in range(processes)
        ]
        chance = random.Random(0)
        for worker in self._workers:  # otherwise those who were sent away together would come back together
            worker._tools.fraction = chance.random
        self._queue: list[tuple[float, int, tuple[str, int]]] = []
        self._order = count()

    def run(self, seconds: float) -> None:
        """So long, or until every part is done."""

        async def all_of_them() -> None:
            await asyncio.gather(*(self._take_turns(worker, seconds) for worker in self._workers))

        self._scene.run(all_of_them())

    async def _take_turns(self, worker: Worker, seconds: float) -> None:
        scene = self._scene
        until = scene.monotonic() + seconds
        while scene.monotonic() < until:
            self._take_in()
            if not self._queue or self._queue[0][0] > scene.monotonic():
                if all(batch.parts_done == batch.parts for batch in scene.world.batches.values()):
                    return
                await asyncio.sleep(1)
                continue
            _, _, (batch_id, number) = heappop(self._queue)
            owner = scene.world.batches[batch_id].owner
            began = scene.monotonic()
            await worker.run(batch_id, number, began + INVOCATION_SECONDS)
            self.invocations[owner] += 1
            self.seconds[owner] += int(scene.monotonic() - began)
            if scene.world.batches[batch_id].parts_done == scene.world.batches[batch_id].parts:
                self.ended.setdefault(owner, scene.monotonic())

    def _take_in(self) -> None:
        world = self._scene.world
        for message, delay in zip(world.part_messages, world.delays, strict=True):
            heappush(self._queue, (self._scene.monotonic() + delay, next(self._order), message))
        world.part_messages, world.delays = [], []


def drop(scene: Scene, owner: str, items: int) -> None:
    scene.drop(message_lines("x" * 300 for _ in range(items)), f"inbox/keys/{owner}/messages/in.jsonl")


def test_owners_without_allowance_leave_the_workers_to_the_others() -> None:
    """Twelve parts of one who may do little, two workers: the other one's part is done in minutes, not after hours."""
    scene = Scene(upstream=Upstream(seconds=1.0), concurrency=8, items_a_part=100)
    lambdas = Lambdas(scene, 2, {SLOW: 600, FAST: 1_000_000})
    drop(scene, SLOW, 1200)
    drop(scene, FAST, 100)

    lambdas.run(4 * 3600)

    assert lambdas.ended[FAST] <= 12 * (WAITING_SECONDS + 5)
    # Of the two workers, the one owner's parts take less than one, with some invocations for each.
    assert lambdas.seconds[SLOW] <= 0.8 * scene.monotonic()
    assert lambdas.invocations[SLOW] <= 12 * 4


def test_an_allowance_is_used_up_although_parts_wait_in_the_queue() -> None:
    """What waits too long is the price: the batch takes little longer than its allowance does."""
    scene = Scene(upstream=Upstream(seconds=1.0), concurrency=8, items_a_part=100)
    lambdas = Lambdas(scene, 3, {SLOW: 3000})
    drop(scene, SLOW, 600)

    lambdas.run(12 * 3600)

    needed = scene.batch().spent.calls * 10 * 60 / 3000
    assert scene.batch().parts_done == 6
    assert lambdas.ended[SLOW] <= needed + DELAY_MOST_SECONDS


@pytest.mark.parametrize(("parts_left", "least", "most"), [(1, 30, 60), (4, 120, 240), (15, 450, 900), (999, 900, 900)])
def test_parts_that_wait_come_back_one_at_a_time(parts_left: int, least: float, most: float) -> None:
    """A minute's worth has gathered for each then; up to SQS's longest delay, and never before the limiter's time."""
    waiting = Situation(parts_left=parts_left)
    delays = [waiting_delay(waiting, fraction) for fraction in (0.0, 0.5, 0.999)]

    assert delays == sorted(delays)
    assert least == delays[0]
    assert most - 1 <= delays[-1] <= most
    assert waiting_delay(replace(waiting, closed_seconds=700.0), 0.0) == max(700.0, least)


@pytest.mark.parametrize(("parts_left", "seconds"), [(1, 30), (15, 30), (150, 3), (1500, 0.3)])
def test_the_more_parts_wait_the_sooner_each_lets_go(parts_left: int, seconds: float) -> None:
    """Together they keep no more workers. Who calls most of the time goes on, whatever it has waited in all."""
    waited = Situation(waiting_seconds=seconds + 0.1, parts_left=parts_left)

    assert halt_of(waited) == "hand_over"
    assert halt_of(replace(waited, waiting_seconds=seconds)) is None
    assert halt_of(replace(waited, run_seconds=2 * waited.waiting_seconds)) is None

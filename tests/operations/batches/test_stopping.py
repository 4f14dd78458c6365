"""Batches that stop before their items are done, and workers that do."""

import asyncio

import pytest

from megallm.batches.items import read_item
from megallm.batches.model import LIFETIME_SECONDS, Counts
from megallm.errors import GatewayError, UpstreamFailed, UpstreamOverloaded
from megallm.messages.events import Reply, Usage
from megallm.operations.batch_watch import BatchWatch
from megallm.operations.part_calls import PartCalls
from megallm.operations.part_recorder import PartRecorder
from tests.operations.batches.harness import Scene, message_lines
from tests.operations.batches.upstream import Upstream, echo

TWENTY = message_lines(f"text {number}" for number in range(20))


def test_a_canceled_batch_stops_within_seconds_and_keeps_what_is_done() -> None:
    """Calls in flight are ended; what was not done is canceled; no call begins any more."""
    scene = Scene(upstream=Upstream(seconds=10.0), concurrency=4)
    batch = scene.drop(TWENTY)

    async def work_and_cancel() -> float:
        worker = scene.worker()
        running = asyncio.create_task(worker.run(batch.id, 1))
        await asyncio.sleep(12)
        scene.world.ports().store.stop(batch.id, "canceled", scene.clock())
        began = scene.monotonic()
        await running
        return scene.monotonic() - began

    seconds = scene.run(work_and_cancel())
    scene.finish()

    assert seconds <= 3.0
    assert scene.batch().counts == Counts(succeeded=4, canceled=16)
    assert [told for _, told in scene.results()] == [f"re: text {n}" for n in range(4)] + ["canceled"] * 16
    assert (len(scene.upstream.calls), scene.upstream.cancelled) == (8, 4)
    assert scene.file("errors.jsonl") == b""
    assert scene.manifest()["stopped_by"] == "canceled"


def test_a_batch_that_was_canceled_before_a_worker_came_makes_no_call() -> None:
    """Its parts still get their results."""
    scene = Scene()
    batch = scene.drop(TWENTY)
    scene.world.ports().store.stop(batch.id, "canceled", scene.clock())

    scene.work()
    scene.finish()

    assert scene.upstream.calls == []
    assert scene.batch().counts == Counts(canceled=20)


def test_what_is_not_done_after_a_day_is_expired() -> None:
    """The worker sees it itself, also where no schedule runs."""
    scene = Scene(upstream=Upstream(seconds=10.0), concurrency=1)
    batch = scene.drop(TWENTY)
    scene.time.seconds += LIFETIME_SECONDS - 35

    scene.work()
    scene.finish()

    assert scene.batch().counts == Counts(succeeded=3, expired=17)
    assert scene.batch().stop == "expired"
    assert scene.batch().ended_at == pytest.approx(batch.expires_at, abs=3)


def test_a_batch_that_nobody_works_on_expires_by_the_schedule() -> None:
    """Its messages were lost; they are sent again, to be answered without calls."""
    scene = Scene()
    scene.drop(TWENTY)
    scene.world.part_messages.clear()
    scene.time.seconds += LIFETIME_SECONDS

    scene.sweep()
    scene.work()
    scene.finish()

    assert scene.upstream.calls == []
    assert scene.batch().counts == Counts(expired=20)


def test_max_cost_stops_before_a_call_that_does_not_fit() -> None:
    """B13: what is finished is kept, and the ledger equals the upstream's count, failed attempts included."""
    used = Usage(input_tokens=7)

    def answer(text: str, nth: int) -> Reply | GatewayError:
        if text.endswith("5") and nth == 1:
            failure = UpstreamFailed("It failed")
            failure.usage = used  # type: ignore[attr-defined]  # what the fake upstream had spent by then
            return failure
        return echo(text, nth)

    scene = Scene(upstream=Upstream(answer, seconds=1.0), concurrency=4)
    scene.drop(TWENTY, metadata={"max-cost": "0.000352"})  # eight whole items of 44 millionths

    scene.work()
    scene.finish()

    calls = scene.upstream.calls
    failed = sum(1 for text in set(calls) if text.endswith("5"))
    ended = scene.batch()
    assert ended.stop == "max_cost"
    assert ended.counts == Counts(succeeded=len(calls) - failed, canceled=20 - len(calls) + failed)
    assert ended.spent.calls == len(calls)
    assert ended.spent.microdollars == 44 * (len(calls) - failed) + 14 * failed
    assert 352 - 44 < ended.spent.microdollars <= 352
    assert ended.committed == ended.spent.microdollars
    assert scene.upstream.cancelled == 0


def test_max_cost_needs_prices() -> None:
    """An item whose model has none is an error, rather than free."""
    scene = Scene()
    scene.drop(message_lines(["a"], model="unpriced"), metadata={"max-cost": "1"})

    scene.work()
    scene.finish()

    assert scene.upstream.calls == []
    assert scene.results() == [("id-1", "errored")]
    assert scene.manifest()["failures"] == {
        "invalid_request_error: max_cost: the catalogue has no prices of unpriced": 1
    }


def test_a_worker_that_runs_out_of_time_hands_the_rest_on_and_loses_nothing() -> None:
    """Nothing is paid twice: what is in flight is waited for, and the rest goes back to the queue."""
    scene = Scene(upstream=Upstream(seconds=4.0), concurrency=2)
    batch = scene.drop(TWENTY)
    scene.world.part_messages.clear()

    scene.run(scene.worker().run(batch.id, 1, scene.monotonic() + 40))

    begun = len(scene.upstream.calls)
    assert 0 < begun < 20
    assert scene.monotonic() <= 40
    assert scene.world.part_messages == [(batch.id, 1)]
    assert scene.world.parts[batch.id][1].leased_until == 0

    scene.work()
    scene.finish()

    assert scene.batch().counts == Counts(succeeded=20)
    assert sorted(scene.upstream.calls) == sorted(set(scene.upstream.calls))
    assert scene.batch().spent.calls == 20


def test_a_hand_over_of_nothing_writes_nothing() -> None:
    """A part that only waits comes again many times in a day: its segments must not become many."""
    scene = Scene()
    batch = scene.drop(message_lines(["a", "b"]))

    for _ in range(3):
        scene.run(scene.worker().run(batch.id, 1, deadline=scene.monotonic() + 1))
    waiting = scene.world.parts[batch.id][1]

    assert (waiting.segments, waiting.leased_until, scene.upstream.calls) == (0, 0.0, [])
    assert [key for key in scene.world.objects if key.startswith("work/")] == []
    assert scene.world.part_messages == [(batch.id, 1)] * 4


def test_calls_that_cannot_end_in_time_are_cut_before_the_function_ends() -> None:
    """What is done is recorded with seconds to spare; the calls that were cut are made again."""
    scene = Scene(upstream=Upstream(seconds=500.0), concurrency=2)
    batch = scene.drop(message_lines(["a", "b", "c"]))
    scene.world.part_messages.clear()

    scene.run(scene.worker().run(batch.id, 1, scene.monotonic() + 60))

    assert 50 <= scene.monotonic() <= 55
    assert scene.upstream.cancelled == 2
    assert scene.world.part_messages == [(batch.id, 1)]


def test_a_worker_that_is_drained_hands_over() -> None:
    """As a process does that is told to end: what ends within the time is kept."""
    scene = Scene(upstream=Upstream(seconds=4.0), concurrency=2)
    batch = scene.drop(TWENTY)
    scene.world.part_messages.clear()

    async def work() -> None:
        worker = scene.worker()
        running = asyncio.create_task(worker.run(batch.id, 1))
        await asyncio.sleep(10)
        worker.drain(5)
        await running

    scene.run(work())

    assert scene.monotonic() <= 15
    assert (len(scene.upstream.calls), scene.upstream.cancelled) == (6, 0)
    assert scene.world.part_messages == [(batch.id, 1)]


def test_an_overloaded_upstream_slows_the_batch_down_and_loses_nothing() -> None:
    """A refusal for lack of capacity is no attempt: every item gets its answer in the end."""
    scene = Scene(upstream=Upstream(seconds=1.0), concurrency=8)

    def answer(text: str, nth: int) -> Reply | GatewayError:
        return UpstreamOverloaded("Overloaded") if scene.upstream.in_flight >= 2 else echo(text, nth)

    scene.upstream.answer = answer
    scene.drop(message_lines(f"text {number}" for number in range(60)))

    scene.work()
    scene.finish()

    assert scene.batch().counts == Counts(succeeded=60)
    assert scene.monotonic() < 200


def test_an_upstream_that_is_closed_for_long_gets_its_part_later() -> None:
    """No worker waits for ten minutes: the part goes back, to be delivered when the upstream says."""
    closed = UpstreamOverloaded("Later", headers={"retry-after": "600"})
    scene = Scene(upstream=Upstream(lambda text, nth: closed if nth == 1 else echo(text, nth)), concurrency=1)
    batch = scene.drop(message_lines(["a"]))

    scene.work()

    assert scene.monotonic() < 5
    assert scene.world.part_messages == [(batch.id, 1)]
    assert scene.world.delays[-1] == pytest.approx(600, abs=2)

    scene.work()
    scene.finish()

    assert scene.results() == [("id-1", "re: a")]


def test_an_item_that_is_cut_before_its_first_step_gives_its_slot_back() -> None:
    """Otherwise the process would have a slot less for ever."""
    scene = Scene()
    batch = scene.drop(message_lines(["a"]))
    part = scene.world.parts[batch.id][1]
    worker = scene.worker()
    tools = worker._tools
    item = read_item(message_lines(["a"]), 1, batch.job)

    async def begin_and_cut() -> None:
        watch = BatchWatch(batch, tools.ports.store, tools.clock, tools.in_thread)
        calls = PartCalls(tools, batch, watch, PartRecorder(part, watch, tools.ports, tools.in_thread))
        assert await calls.begin(item)
        calls.stop(cut=True)
        assert await calls.wait()

    scene.run(begin_and_cut())

    assert scene.upstream.calls == []
    assert tools.slots("upstream").in_flight == 0

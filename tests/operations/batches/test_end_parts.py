"""Batches that are stopped while parts of theirs wait in the queue: the finisher ends those."""

from dataclasses import replace
from functools import partial
from typing import Literal

import pytest
from pydantic_core import from_json

from megallm.batches.model import LIFETIME_SECONDS, Counts, Spent
from megallm.errors import InternalError, UpstreamOverloaded
from megallm.operations.cancel_batch import cancel
from tests.batch_fakes import MemoryQueues, Process
from tests.operations.batches.harness import Scene, message_lines, survives
from tests.operations.batches.upstream import Upstream, echo

FIVE = message_lines(f"text {number}" for number in range(5))


def canceled(scene: Scene) -> None:
    """By whoever it belongs to."""
    cancel(scene.world.ports(), scene.batch().id, scene.clock())


def test_a_part_that_waits_for_its_upstream_is_canceled_at_once() -> None:
    """Its message comes in ten minutes; the batch has ended long before, and what was done is kept and paid once."""
    closed = UpstreamOverloaded("Later", headers={"retry-after": "600"})
    scene = Scene(concurrency=1)
    scene.upstream.answer = lambda text, nth: closed if text == "text 2" else echo(text, nth)
    scene.drop(FIVE)
    scene.work()
    assert scene.world.delays[-1] >= 590

    canceled(scene)
    scene.finish()

    assert [told for _, told in scene.results()] == ["re: text 0", "re: text 1", *["canceled"] * 3]
    ended = scene.batch()
    assert (ended.state, ended.stop, ended.ended_at) == ("ended", "canceled", scene.clock())
    assert ended.counts == Counts(succeeded=2, canceled=3)
    assert ended.spent.calls == len(scene.upstream.calls) == 3
    assert scene.world.told == [ended]

    scene.work()
    scene.finish()

    assert scene.batch() == ended
    assert scene.world.told == [ended]


def test_bad_items_stay_errors_in_a_batch_that_is_canceled() -> None:
    """They could not have been sent anyway, and say so; duplicates, too."""
    scene = Scene()
    scene.drop(b"nonsense\n" + message_lines(["a"]) + message_lines(["twice"]))

    canceled(scene)
    scene.finish()

    assert [told for _, told in scene.results()] == ["errored", "canceled", "errored"]
    assert [from_json(line)["record"] for line in scene.file("errors.jsonl").splitlines()] == [1, 3]
    assert scene.batch().counts == Counts(errored=2, canceled=1)


def test_a_batch_that_expires_in_the_queue_is_ended_by_the_schedule_and_the_finisher() -> None:
    """Nobody waits for messages that may be lost."""
    scene = Scene(items_a_part=2)
    scene.drop(FIVE)
    scene.world.part_messages.clear()
    scene.time.seconds += LIFETIME_SECONDS

    scene.sweep()
    scene.finish()

    assert scene.world.part_messages == []
    assert scene.batch().counts == Counts(expired=5)


def test_what_a_worker_has_is_left_to_it() -> None:
    """The finisher ends the other parts; the worker ends its own, and the batch."""
    scene = Scene(upstream=Upstream(seconds=10.0), concurrency=2, items_a_part=2)
    batch = scene.drop(FIVE)
    part = scene.world.ports().store.claim(batch.id, 1, now=scene.clock(), lease_seconds=60)

    canceled(scene)
    scene.finish()

    parts = scene.world.parts[batch.id]
    assert [parts[number].done for number in (1, 2, 3)] == [False, True, True]
    assert parts[1] == part
    assert scene.batch().state == "canceling"


def test_more_parts_than_one_message_takes_are_ended_by_the_next() -> None:
    """So that no finisher runs for long."""
    scene = Scene(items_a_part=1)
    scene.drop(message_lines(f"text {number}" for number in range(95)))

    canceled(scene)
    scene.finish()

    assert scene.batch().counts == Counts(canceled=95)
    assert scene.batch().state == "ended"


def test_what_earlier_attempts_did_and_could_not_count_is_counted() -> None:
    """A worker dies after it has written a segment, before it has counted it; then the batch is canceled."""
    scene = Scene(upstream=Upstream(seconds=0.5), concurrency=1)
    scene.drop(message_lines(f"text {number}" for number in range(20)))
    other = Scene(upstream=Upstream(seconds=0.5), concurrency=1)
    other.drop(message_lines(f"text {number}" for number in range(20)))
    undisturbed = Process()
    other.work(undisturbed)
    assert not survives(lambda: scene.work(Process(undisturbed.effects.index("checkpoint") + 1)))
    recorded = scene.batch().spent
    scene.time.seconds += 61

    canceled(scene)
    scene.finish()

    done = scene.batch().counts.succeeded
    assert 0 < done < len(scene.upstream.calls) <= done + 2  # what was in flight, and what ended after the segment
    assert recorded == Spent()
    assert scene.batch().spent == Spent(7 * done, 3 * done, 44 * done, done)
    assert scene.batch().counts == Counts(succeeded=done, canceled=20 - done)


@pytest.mark.parametrize("when", ["before", "after"])
def test_whatever_the_finisher_dies_at_the_schedule_goes_on(when: Literal["before", "after"]) -> None:
    """Each effect in turn is its last; the batch ends, as it does undisturbed, and its end is told."""
    effects = 0
    while True:
        effects += 1
        scene = Scene(items_a_part=3)
        scene.drop(FIVE)
        scene.world.part_messages.clear()
        canceled(scene)
        if survives(partial(scene.finish, Process(effects, when))):
            break
        scene.world.finish_messages.clear()
        for _ in range(4):
            scene.time.seconds += 61
            scene.sweep()
            scene.finish()

        assert scene.results() == [(f"id-{number}", "canceled") for number in range(1, 6)]
        assert scene.batch().counts == Counts(canceled=5)
        assert scene.world.told
        assert {told.id for told in scene.world.told} == {scene.batch().id}
        assert list(scene.world.ports().store.open()) == []
    assert effects > 15


class _NoQueue(MemoryQueues):
    def send_finish(self, batch_id: str) -> None:
        raise InternalError("The queue failed")


def test_a_batch_is_canceled_even_if_the_finisher_cannot_be_called() -> None:
    """The schedule calls it within a minute."""
    scene = Scene()
    batch = scene.drop(FIVE)
    ports = replace(scene.world.ports(), queues=_NoQueue(scene.world, Process()))

    stopped = cancel(ports, batch.id, scene.clock())
    scene.sweep()
    scene.finish()

    assert stopped is not None
    assert (stopped.state, stopped.stop) == ("canceling", "canceled")
    assert scene.batch().counts == Counts(canceled=5)


def test_a_dry_run_that_is_canceled_is_not_ended_by_the_finisher() -> None:
    """It is counted by the intake, or by the schedule."""
    scene = Scene()
    dry = {"dry-run": "true"}
    assert not survives(lambda: scene.drop(FIVE, metadata=dry, process=Process(4)))

    canceled(scene)
    scene.finish()
    before = scene.batch().state
    scene.time.seconds += 1300
    scene.sweep()

    assert before != "ended"
    assert scene.batch().state == "ended"
    assert scene.upstream.calls == []

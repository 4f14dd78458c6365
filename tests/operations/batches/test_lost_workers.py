"""Workers whose lease has run out without their knowing: they write on, and change nothing."""

import asyncio
from dataclasses import replace

import pytest

from megallm.errors import InternalError
from megallm.operations.part_recorder import CHECKPOINT_SECONDS
from tests.batch_fakes import MemoryBatches, Process
from tests.operations.batches.harness import Scene, message_lines, repeated
from tests.operations.batches.upstream import Upstream, echo


class _Deaf(MemoryBatches):
    """A table that a process cannot reach any more for the one thing that would tell it that it is late."""

    def renew(self, *_: object, **__: object) -> bool:
        raise InternalError("unreachable")


@pytest.mark.parametrize("seconds", [3.0, 9.0, 20.0])
def test_a_worker_that_was_lost_and_writes_on_changes_nothing(seconds: float) -> None:
    """Its lease has run out and its clock stands still, so it does not know; another worker does the part meanwhile."""
    scene_ = Scene(concurrency=2, upstream=Upstream(seconds=seconds))
    scene_.upstream.answer = lambda text, nth: echo(f"{text}, call {nth}", nth)
    scene_.drop(message_lines(f"text {number}" for number in range(60)))
    [(batch_id, number)] = scene_.world.part_messages
    began = scene_.clock()
    deaf = replace(scene_.world.ports(), store=_Deaf(scene_.world, Process()))
    late = scene_.worker(ports=deaf, clock=lambda: began)

    async def both() -> None:
        zombie = asyncio.create_task(late.run(batch_id, number))
        await asyncio.sleep(61)
        scene_.upstream.seconds = 1.0
        await asyncio.gather(zombie, scene_.worker().run(batch_id, number))

    scene_.run(both())
    scene_.to_the_end()

    assert [custom_id for custom_id, _ in scene_.results()] == [f"id-{number}" for number in range(1, 61)]
    assert scene_.batch().counts.succeeded == 60
    assert scene_.batch().counts.total == 60
    assert scene_.batch().spent.calls <= len(scene_.upstream.calls)
    # What was in flight when the lease ran out, and what it began before it could not count a checkpoint.
    assert repeated(scene_.upstream.calls) <= 2 + 2 * (CHECKPOINT_SECONDS + 2) / 1.0


def test_a_lost_worker_that_comes_back_after_the_end_leaves_nothing_behind() -> None:
    """The batch has ended and its pieces are gone; they must not come back."""
    scene_ = Scene(concurrency=2, upstream=Upstream(seconds=100.0))
    batch = scene_.drop(message_lines(["a", "b"]))
    began = scene_.clock()
    deaf = replace(scene_.world.ports(), store=_Deaf(scene_.world, Process()))
    late = scene_.worker(ports=deaf, clock=lambda: began)

    async def both() -> None:
        zombie = asyncio.create_task(late.run(batch.id, 1))
        await asyncio.sleep(61)
        scene_.upstream.seconds = 1.0
        await scene_.worker().run(batch.id, 1)
        scene_.finish()
        ended = dict(scene_.world.objects)
        await zombie
        assert scene_.world.objects == ended

    scene_.run(both())

    ended = scene_.batch()
    assert ended.state == "ended"
    # What the late one spent is counted late.
    assert [replace(told, spent=ended.spent, committed=ended.committed) for told in scene_.world.told] == [ended]

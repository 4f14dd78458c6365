"""What is told of a batch while it runs: how many of its items have ended, exactly, and never more than there are."""

import asyncio
from functools import partial

from megallm.errors import GatewayError, RateLimited, UpstreamFailed
from megallm.messages.events import Reply
from megallm.operations.follow_batch import done_of
from tests.batch_fakes import Process
from tests.operations.batches.harness import Scene, message_lines, survives
from tests.operations.batches.upstream import Upstream, echo


def lines(count: int) -> bytes:
    return message_lines(f"text {number}" for number in range(count))


def test_calls_that_are_refused_are_no_progress() -> None:
    """One item is answered; every other one is refused time and again, and none of those has ended."""

    def busy(text: str, nth: int) -> Reply | GatewayError:
        is_answered = text == "text 3" or nth >= 90
        return echo(text, nth) if is_answered else RateLimited("Slowly", headers={"retry-after": "1"})

    scene = Scene(upstream=Upstream(busy, seconds=0.1))
    batch = scene.drop(lines(8))
    seen: list[int] = []

    async def work_and_watch() -> None:
        working = asyncio.create_task(scene.worker().run(batch.id, 1))
        for _ in range(4):
            await asyncio.sleep(120)
            seen.append(done_of(scene.batch()))
        working.cancel()
        await asyncio.gather(working, return_exceptions=True)

    scene.run(work_and_watch())

    assert scene.batch().spent.calls > 1
    assert seen == [1] * 4


def test_progress_is_told_from_checkpoint_to_checkpoint() -> None:
    """Also of items that end without a call, and of those that needed several; at the end it is all of them."""

    def answer(text: str, nth: int) -> Reply | GatewayError:
        return UpstreamFailed("It failed") if nth == 1 else echo(text, nth)

    scene = Scene(upstream=Upstream(answer, seconds=1.0), concurrency=4)
    batch = scene.drop(lines(80) + b"no item\n" * 20)
    seen: list[int] = []

    async def work_and_watch() -> None:
        working = asyncio.create_task(scene.worker().run(batch.id, 1))
        while not working.done():
            await asyncio.sleep(1)
            seen.append(done_of(scene.batch()))
            assert seen[-1] <= 20 + len(scene.upstream.calls) - len(set(scene.upstream.calls))

    scene.run(work_and_watch())

    assert seen == sorted(seen)
    assert len(set(seen)) > 5
    assert seen[-1] == done_of(scene.batch()) == scene.batch().finished == 100


def test_what_several_attempts_have_done_is_counted_once() -> None:
    """Worker after worker dies between a segment and its count: the next one knows what was done."""
    scene = Scene(upstream=Upstream(seconds=0.9), concurrency=2)
    batch = scene.drop(lines(40))
    done: list[tuple[int, int]] = []
    for effect in (4, 6, 6, 5, 7):
        scene.world.part_messages[:] = [(batch.id, 1)]
        survives(partial(scene.work, Process(effect, "before")))
        scene.time.seconds += 400
        done.append((done_of(scene.batch()), scene.world.parts[batch.id][1].finished))
    scene.to_the_end()

    assert [of_batch for of_batch, _ in done] == [of_part for _, of_part in done]
    assert done == sorted(done)
    assert done[-1][0] > 0
    assert scene.batch().finished == scene.batch().counts.succeeded == 40

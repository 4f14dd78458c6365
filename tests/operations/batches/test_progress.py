"""Every attempt at a part begins something, whatever its process has seen of the upstream before."""

import pytest

from megallm.batches.model import Counts
from tests.operations.batches.harness import Scene, message_lines
from tests.operations.batches.upstream import Upstream

THIRTY = message_lines(f"text {number}" for number in range(30))


def test_a_call_that_took_nearly_the_whole_invocation_does_not_keep_the_next_from_beginning_anything() -> None:
    """The process is warm, and the upstream well again: in half of its time it begins calls."""
    scene = Scene(upstream=Upstream(seconds=580.0), concurrency=1)
    batch = scene.drop(THIRTY)
    scene.world.part_messages.clear()
    worker = scene.worker()
    scene.run(worker.run(batch.id, 1, scene.monotonic() + 900))
    first = len(scene.upstream.calls)
    scene.upstream.seconds = 10.0

    calls = []
    while scene.world.part_messages:
        scene.world.part_messages.clear()
        before = len(scene.upstream.calls)
        scene.run(worker.run(batch.id, 1, scene.monotonic() + 200))
        calls.append(len(scene.upstream.calls) - before)
        assert calls[-1] > 0
    scene.finish()

    assert first == 1
    assert calls == [11, 11, 7]
    assert scene.batch().counts == Counts(succeeded=30)
    assert len(scene.upstream.calls) == 30


def test_calls_that_were_cut_say_nothing_of_how_long_calls_take() -> None:
    """They were ended by the function's time: that of the next is used as if they had not been."""
    scene = Scene(upstream=Upstream(seconds=500.0), concurrency=2)
    batch = scene.drop(message_lines(["a", "b", "c"]))
    worker = scene.worker()

    scene.run(worker.run(batch.id, 1, scene.monotonic() + 60))
    cut = scene.upstream.cancelled
    scene.upstream.seconds = 1.0
    scene.run(worker.run(batch.id, 1, scene.monotonic() + 60))
    scene.finish()

    assert cut == 2
    assert worker._tools.longest_call_seconds == 1.0
    assert scene.batch().counts == Counts(succeeded=3)


@pytest.mark.parametrize("seconds", [45.0, 60.0, 130.0, 250.0, 900.0])
def test_each_attempt_begins_at_least_one_item_whatever_calls_took(seconds: float) -> None:
    """Calls of every length up to what fits; each attempt that begins one that fits does it, so the part ends."""
    longest = seconds - 10.0
    lengths = [longest, 1.0, longest / 2, longest, longest / 4]
    scene = Scene(concurrency=1)
    scene.upstream.seconds = lambda: lengths[len(scene.upstream.calls) % len(lengths)]
    batch = scene.drop(message_lines(f"text {number}" for number in range(8)))
    worker = scene.worker()

    attempts = 0
    while not scene.world.parts[batch.id][1].done:
        attempts += 1
        before = len(scene.upstream.calls)
        scene.run(worker.run(batch.id, 1, scene.monotonic() + seconds))
        assert len(scene.upstream.calls) > before
        assert attempts < 40
    scene.finish()

    assert scene.batch().counts == Counts(succeeded=8)

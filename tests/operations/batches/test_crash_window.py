"""What a crash repeats: what was in flight, and what was finished and not recorded. No more."""

from functools import partial

import pytest

from megallm.messages.events import Reply
from megallm.operations.part_lease import MOST_CRASHES
from megallm.operations.part_recorder import CHECKPOINT_ITEMS
from tests.batch_fakes import Crash, Process
from tests.operations.batches.deaths import VISIBILITY_SECONDS
from tests.operations.batches.harness import Scene, message_lines, repeated, survives
from tests.operations.batches.upstream import Upstream, echo


@pytest.mark.parametrize("effect", range(3, 30, 3))
def test_a_killed_worker_repeats_no_more_than_was_in_flight_and_one_checkpoint(effect: int) -> None:
    """B03: a thousand items, eight in flight; the process dies somewhere and another one resumes."""
    scene_ = Scene(upstream=Upstream(seconds=0.1))
    scene_.drop(message_lines(f"text {number}" for number in range(1000)))
    messages = list(scene_.world.part_messages)

    assert not survives(lambda: scene_.work(Process(effect, "before")))
    done = len(scene_.upstream.calls)
    scene_.time.seconds += VISIBILITY_SECONDS
    scene_.world.part_messages[:] = messages
    scene_.work()
    scene_.finish()

    assert scene_.results() == [(f"id-{number + 1}", f"re: text {number}") for number in range(1000)]
    assert min(done, 1) <= repeated(scene_.upstream.calls) <= min(done, 8 + CHECKPOINT_ITEMS)


@pytest.mark.parametrize("effect", range(2, 20, 4))
def test_where_recording_is_slow_no_more_is_begun_than_a_checkpoint_holds(effect: int) -> None:
    """B03: an upstream that answers at once and a store that takes seconds."""
    scene_ = Scene(store_seconds=3.0, upstream=Upstream(seconds=0.001))
    scene_.drop(message_lines(f"text {number}" for number in range(1000)))
    messages = list(scene_.world.part_messages)

    assert not survives(lambda: scene_.work(Process(effect, "before")))
    scene_.time.seconds += VISIBILITY_SECONDS
    scene_.world.part_messages[:] = messages
    scene_.work()
    scene_.finish()

    assert scene_.batch().counts.succeeded == 1000
    assert repeated(scene_.upstream.calls) <= 8 + CHECKPOINT_ITEMS


@pytest.mark.parametrize("deaths", [1, 2])
def test_calls_that_were_made_and_not_counted_are_counted_by_whoever_comes_next(deaths: int) -> None:
    """A worker dies between the segment and its count: only what was in flight then is missing in the ledger."""
    scene_ = Scene(upstream=Upstream(seconds=0.9), concurrency=2)
    batch = scene_.drop(message_lines(f"text {number}" for number in range(40)))
    undisturbed = Process()
    other = Scene(upstream=Upstream(seconds=0.9), concurrency=2)
    other.drop(message_lines(f"text {number}" for number in range(40)))
    other.work(undisturbed)

    for _ in range(deaths):
        scene_.world.part_messages[:] = [(batch.id, 1)]
        doomed = Process(undisturbed.effects.index("checkpoint") + 1, "before")
        assert not survives(partial(scene_.work, doomed))
        scene_.time.seconds += VISIBILITY_SECONDS
    scene_.world.part_messages[:] = [(batch.id, 1)]
    scene_.work()
    scene_.finish()

    in_flight = 2 * deaths
    assert scene_.batch().counts.succeeded == 40
    assert repeated(scene_.upstream.calls) == in_flight
    assert scene_.batch().spent.calls == len(scene_.upstream.calls) - in_flight


def test_a_part_that_crashes_worker_after_worker_ends_as_errors() -> None:
    """An item that kills whoever sends it: after ten such deaths the rest is given up, and what was done is kept."""

    def kills(text: str, nth: int) -> Reply:
        if text == "text 6":
            raise Crash
        return echo(text, nth)

    scene_ = Scene(upstream=Upstream(kills, seconds=1.0), concurrency=1)
    scene_.drop(message_lines(f"text {number}" for number in range(20)))
    messages = list(scene_.world.part_messages)

    while not survives(scene_.work):
        scene_.time.seconds += VISIBILITY_SECONDS
        scene_.world.part_messages[:] = messages
    scene_.finish()

    kept = scene_.batch().counts.succeeded
    assert kept in (5, 6)
    assert [told for _, told in scene_.results()] == [f"re: text {n}" for n in range(kept)] + ["errored"] * (20 - kept)
    assert scene_.upstream.calls.count("text 6") == MOST_CRASHES + 1  # there was one checkpoint

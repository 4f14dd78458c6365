"""A batch as its operator sees it."""

from dataclasses import replace

import pytest

from megallm.batches.model import Batch, Counts, Job, Source, Spent
from megallm.errors import InvalidRequest, NotFound
from megallm.operations.follow_batch import (
    POLL_SECONDS,
    Progress,
    Speed,
    done_of,
    find_batch,
    follow_batch,
    newest_batches,
    stop_batch,
)
from tests.batch_fakes import World


def batch(number: int, owner: str = "operator", created_at: float = 1.0) -> Batch:
    source = Source("k", "v", "n")
    return Batch(f"msgbatch_{number:024}", owner, Job("messages"), source, "in_progress", created_at, 2.0, total=100)


RUNNING = batch(1)


def test_a_batch_is_followed_to_its_end() -> None:
    """Also before the intake has taken it."""
    world, slept = World(), list[float]()

    def sleep(seconds: float) -> None:
        slept.append(seconds)
        if len(slept) == 1:
            world.batches[RUNNING.id] = RUNNING
        else:
            world.batches[RUNNING.id] = replace(RUNNING, state="ended")

    seen = list(follow_batch(world.ports().store, RUNNING.id, sleep))

    assert seen == [None, RUNNING, replace(RUNNING, state="ended")]
    assert slept == [POLL_SECONDS] * 2


def test_done_is_what_has_ended_and_not_what_was_called() -> None:
    """Some calls are repetitions; and an item that was refused or canceled was never called."""
    spent = Spent(calls=130)

    assert done_of(replace(RUNNING, finished=40, spent=spent)) == 40
    assert done_of(replace(RUNNING, finished=90, counts=Counts(canceled=60), spent=spent)) == 90
    ended = Counts(succeeded=60, errored=10, canceled=20, expired=10)
    assert done_of(replace(RUNNING, state="ended", finished=100, counts=ended, spent=spent)) == 100


def test_the_speed_counts_from_when_somebody_began_to_watch() -> None:
    """What was done before says nothing about now."""
    speed = Speed()

    told = [
        speed.progress(replace(RUNNING, finished=done), now) for now, done in ((1000.0, 20), (1001.0, 20), (1010.0, 40))
    ]

    assert told == [
        Progress(20, 100, 0.0, None),
        Progress(20, 100, 0.0, None),
        Progress(40, 100, 2.0, 30.0),
    ]


def test_the_newest_of_everybody_come_first() -> None:
    """Whoever they belong to."""
    world = World()
    made = [batch(1, "operator", 1.0), batch(2, "abcdefgh", 2.0), batch(3, "operator", 3.0), batch(4, "other", 4.0)]
    for each in made:
        world.ports().store.create(each)

    assert newest_batches(world.ports().store, ["operator", "abcdefgh"], 2) == [made[2], made[1]]
    assert newest_batches(world.ports().store, ["operator", "abcdefgh", "other"], 9) == made[::-1]


def test_stopping_is_for_what_runs() -> None:
    """Once more changes nothing. The finisher is told, who ends what waits."""
    world = World()
    ports = world.ports()
    ports.store.create(RUNNING)

    stopped = stop_batch(ports, RUNNING.id, 5.0)

    assert stopped == replace(RUNNING, state="canceling", stop="canceled", stop_requested_at=5.0)
    assert world.finish_messages == [RUNNING.id]
    assert stop_batch(ports, RUNNING.id, 6.0) == stopped
    world.batches[RUNNING.id] = replace(RUNNING, state="ended")
    with pytest.raises(InvalidRequest, match="has ended"):
        stop_batch(ports, RUNNING.id, 7.0)
    with pytest.raises(NotFound):
        find_batch(ports.store, "msgbatch_")

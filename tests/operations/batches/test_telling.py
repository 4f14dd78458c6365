"""The event at the end of a batch: told at least once, whoever dies when; and once, where nobody does."""

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Literal

import pytest

from megallm.batches.model import Batch
from megallm.errors import InternalError
from megallm.operations.finish_batch import finish_batch
from megallm.operations.sweep_batches import TELLING_SECONDS
from tests.batch_fakes import MemoryEvents, Process
from tests.operations.batches.harness import Scene, message_lines, survives

LONG = 1300  # an intake that has not ended by then has died


def indexing(scene: Scene, body: bytes = b"", metadata: dict[str, str] | None = None) -> None:
    """A batch whose intake dies as soon as it has recorded it: everything else is done by the schedule."""
    assert not survives(lambda: scene.drop(body, metadata=metadata, process=Process(1, "after")))
    scene.time.seconds += LONG


def done(scene: Scene) -> None:
    """A batch whose last part is done."""
    scene.drop(message_lines(["a"]))
    scene.work()


# How a batch comes to its end, and who ends it.
ENDS: dict[str, tuple[Callable[[Scene], None], Callable[[Scene, Process], None]]] = {
    "refused by the schedule": (indexing, lambda scene, process: scene.sweep(process)),
    "counted by the schedule": (
        lambda scene: indexing(scene, message_lines(["a"]), {"dry-run": "true"}),
        lambda scene, process: scene.sweep(process),
    ),
    "finished": (done, lambda scene, process: scene.finish(process)),
}


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("end", ENDS)
def test_an_end_is_told_whoever_dies_at_whatever_step(end: str, when: Literal["before", "after"]) -> None:
    """Each effect in turn is the last of the process that ends it; no message comes again, only the schedule runs."""
    begin, work = ENDS[end]
    effects = 0
    while True:
        effects += 1
        scene = Scene()
        begin(scene)
        process = Process(effects, when)
        if survives(partial(work, scene, process)):
            break
        scene.world.finish_messages.clear()
        for _ in range(6):
            scene.time.seconds += 61
            scene.sweep()
            scene.finish()

        assert scene.batch().state == "ended"
        assert 1 <= len(scene.world.told) <= 2
        assert scene.world.told[-1] == scene.batch()
        assert list(scene.world.ports().store.open()) == []
    assert effects > 4


@pytest.mark.parametrize("end", ENDS)
def test_where_nobody_dies_an_end_is_told_once(end: str) -> None:
    """However often the schedule runs and messages come again."""
    begin, work = ENDS[end]
    scene = Scene()
    begin(scene)

    work(scene, Process())
    for _ in range(4):
        scene.sweep()
        scene.finish()
        finish_batch(scene.world.ports(), scene.batch().id, scene.clock())
        scene.time.seconds += 61

    assert scene.world.told == [scene.batch()]


class _Deaf(MemoryEvents):
    def ended(self, batch: Batch) -> None:
        raise InternalError("The bus failed")


def test_a_bus_that_fails_for_hours_is_told_in_the_end() -> None:
    """The results are there meanwhile."""
    scene = Scene()
    done(scene)
    deaf = replace(scene.world.ports(), events=_Deaf(scene.world, Process()))
    batch_id = scene.batch().id
    for _ in range(180):
        with pytest.raises(InternalError):
            finish_batch(deaf, batch_id, scene.clock())
        scene.time.seconds += 60

    readable = scene.results()
    scene.world.finish_messages.clear()
    scene.sweep()
    scene.finish()

    assert readable == [("id-1", "re: a")]
    assert scene.world.told == [scene.batch()]
    assert sorted(scene.world.objects) == [
        "inbox/messages/in.jsonl",
        *(f"results/{batch_id}/{name}" for name in ("errors.jsonl", "manifest.json", "results.jsonl")),
    ]


def test_the_schedule_does_not_meddle_with_an_end_that_is_being_told() -> None:
    """Its finisher is at it; told twice it would be otherwise."""
    scene = Scene()
    done(scene)
    assert not survives(lambda: scene.finish(Process(5)))
    assert scene.batch().state == "ended"
    scene.world.finish_messages.clear()

    scene.sweep()
    at_once = list(scene.world.finish_messages)
    scene.time.seconds += TELLING_SECONDS + 1
    scene.sweep()

    assert at_once == []
    assert scene.world.finish_messages == [scene.batch().id]

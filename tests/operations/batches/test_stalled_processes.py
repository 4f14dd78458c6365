"""A process that stalls at any of its steps until others have ended the batch, and then goes on: it changes nothing."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace

import pytest

from megallm.batches.model import result_key
from megallm.errors import InternalError
from megallm.operations.finish_batch import finish_batch
from tests.batch_fakes import MemoryObjects, Process
from tests.operations.batches.deaths import ROLES, VISIBILITY_SECONDS, Role, steps, undisturbed
from tests.operations.batches.harness import Scene, message_lines, repeated
from tests.operations.batches.verdicts import steady
from tests.operations.batches.ways_in import WAYS_IN

WAYS = ("JSON lines", "gzip", "a job with items")


class _Stalling(Process):
    """Stands still before one of its effects while *meanwhile* happens, in other processes."""

    def __init__(self, effect: int, meanwhile: Callable[[], None]) -> None:
        super().__init__()
        self._effect = effect
        self._meanwhile = meanwhile
        self.stalled = False

    @contextmanager
    def effect(self, name: str) -> Iterator[None]:
        if len(self.effects) + 1 == self._effect and not self.stalled:
            self.stalled = True
            # Its own event loop stands still; others have theirs.
            others = threading.Thread(target=self._meanwhile)
            others.start()
            others.join()
        with super().effect(name):
            yield


@pytest.mark.parametrize("role", ROLES)
@pytest.mark.parametrize("way", WAYS)
def test_a_process_that_stalls_until_after_the_end_changes_nothing(way: str, role: Role) -> None:
    """Its message was delivered again meanwhile, and its lease is another worker's: the files stay as they are."""
    way_in = WAYS_IN[way]
    for effect in range(1, steps(way_in.scene, way_in.arrive, role) + 1):
        scene = way_in.scene()
        at_the_end: list[dict[str, bytes]] = []

        def meanwhile(scene: Scene = scene, at_the_end: list[dict[str, bytes]] = at_the_end) -> None:
            scene.time.seconds += VISIBILITY_SECONDS
            way_in.arrive(scene, None)
            scene.to_the_end()
            at_the_end.append(dict(scene.world.objects))

        stalling = _Stalling(effect, meanwhile)
        way_in.arrive(scene, stalling if role == "intake" else None)
        messages = list(scene.world.part_messages)
        try:
            scene.work(stalling if role == "worker" else None)
        except InternalError:  # the pieces that it was to put together are gone; its message comes again
            scene.world.part_messages[:] = messages
            scene.work()
        finish_batch(scene.world.ports(stalling if role == "finisher" else None), scene.batch().id, scene.clock())

        batch, expected = scene.batch(), undisturbed(way)
        [ended] = at_the_end
        assert stalling.stalled
        assert_only_pieces_came_back(scene, ended)
        assert scene.file("results.jsonl") == expected.file("results.jsonl")
        assert scene.file("errors.jsonl") == expected.file("errors.jsonl")
        assert steady(scene.manifest()) == steady(expected.manifest())
        assert (batch.state, batch.counts) == ("ended", expected.batch().counts)
        # What the stalled one had spent is counted late, once it is awake.
        for told in scene.world.told:
            assert replace(told, spent=batch.spent, committed=batch.committed) == batch
        assert batch.spent.calls <= len(scene.upstream.calls)
        if role != "worker":
            assert repeated(scene.upstream.calls) == repeated(expected.upstream.calls)


def test_a_worker_that_stalls_in_its_last_write_closes_no_part_any_more() -> None:
    """What it was writing comes back once the batch has ended, and nothing is made of it."""
    scene = Scene()
    batch = scene.drop(message_lines(["a", "b"]))
    messages = list(scene.world.part_messages)
    ended: list[dict[str, bytes]] = []

    def meanwhile() -> None:
        scene.time.seconds += VISIBILITY_SECONDS
        scene.world.part_messages[:] = messages
        scene.to_the_end()
        ended.append(dict(scene.world.objects))

    class Stalling(MemoryObjects):
        def put_new(self, key: str, body: bytes) -> bool:
            if not ended:
                others = threading.Thread(target=meanwhile)
                others.start()
                others.join()
            return super().put_new(key, body)

    ports = replace(scene.world.ports(), objects=Stalling(scene.world, Process()))
    scene.run(scene.worker(ports=ports).run(batch.id, 1))

    assert scene.batch().state == "ended"
    assert scene.world.objects.keys() - ended[0].keys() == {f"work/{batch.id}/000001/0001-000000.jsonl"}


def assert_only_pieces_came_back(scene: Scene, ended: dict[str, bytes]) -> None:
    """No lease keeps a process that stalls within a write from writing. What it writes are pieces that were there."""
    batch, objects = scene.batch(), scene.world.objects
    came_back = objects.keys() - ended.keys()
    parts = {key for key in came_back if key.startswith(result_key(batch.id, "parts/"))}
    assert ended.keys() <= objects.keys()
    assert all(key.startswith(f"work/{batch.id}/") for key in came_back - parts)
    for key in parts:
        whole = "errors.jsonl" if key.endswith(".errors.jsonl") else "results.jsonl"
        assert objects[key] in scene.file(whole)

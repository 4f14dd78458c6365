"""Processes that die, and what is delivered again then, as SQS does it."""

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cache
from typing import Literal

from pydantic_core import from_json

from megallm.batches.segment_scan import SegmentScan
from tests.batch_fakes import Process, World
from tests.operations.batches.harness import Scene, survives
from tests.operations.batches.ways_in import WAYS_IN, Arrive, record_of

Role = Literal["intake", "worker", "finisher"]
When = Literal["before", "after"]

ROLES: tuple[Role, ...] = ("intake", "worker", "finisher")
WHENS: tuple[When, ...] = ("before", "after")
VISIBILITY_SECONDS = 400.0


@dataclass
class Death:
    """One process of this role dies, the first one, at its *effect*-th effect.

    ``recorded`` are the results that the world had by then, by record; ``calls`` is how many calls had been made, and
    ``told`` how many of them the segments told of.
    """

    role: Role
    effect: int
    when: When
    happened: bool = False
    recorded: dict[int, bytes] = field(default_factory=dict)
    calls: int = 0
    told: int = 0

    def process(self, role: Role) -> Process:
        """A new process of this role: the doomed one or another."""
        if role != self.role or self.happened:
            return Process()
        self.happened = True
        return Process(self.effect, self.when)

    def again(self, scene: Scene) -> set[int]:
        """The records that were called for before and after it."""
        before, after = scene.upstream.calls[: self.calls], scene.upstream.calls[self.calls :]
        return set(map(record_of, before)) & set(map(record_of, after))


def no_death() -> Death:
    """Nobody dies."""
    return Death("intake", 0, "before", happened=True)


def play(scene: Scene, arrive: Arrive, death: Death) -> None:
    """As SQS delivers: what died without an end comes again when it is visible again."""

    def until_it_survives(role: Role, work: Callable[[Process], object]) -> None:
        while not survives(lambda: work(death.process(role))):
            death.recorded = recorded(scene.world)
            death.calls = len(scene.upstream.calls)
            death.told = sum(from_json(body.partition(b"\n")[0])["spent"][3] for _, body in _segments(scene.world))
            scene.time.seconds += VISIBILITY_SECONDS

    until_it_survives("intake", lambda process: arrive(scene, process))
    while scene.batch().state != "ended":
        assert scene.world.part_messages or scene.world.finish_messages
        messages = list(scene.world.part_messages)

        def work(process: Process, messages: list[tuple[str, int]] = messages) -> None:
            scene.world.part_messages[:] = [*messages]
            scene.work(process)

        if messages:
            until_it_survives("worker", work)
        until_it_survives("finisher", scene.finish)


@cache
def undisturbed(way: str) -> Scene:
    """The end of a run in which nothing happens; nobody changes it."""
    scene = WAYS_IN[way].scene()
    play(scene, WAYS_IN[way].arrive, no_death())
    return scene


def steps(new_scene: Callable[[], Scene], arrive: Arrive, role: Role) -> int:
    """How many effects an undisturbed process of this role has."""
    process = Process()
    scene = new_scene()
    arrive(scene, process if role == "intake" else None)
    scene.work(process if role == "worker" else None)
    scene.finish(process if role == "finisher" else None)
    return len(process.effects)


def recorded(world: World) -> dict[int, bytes]:
    """The results of the items that are recorded in segments, by record; of two, the first."""
    found: dict[int, bytes] = {}
    for _, body in _segments(world):
        for place in SegmentScan().feed(body):
            found.setdefault(place.record, body[place.start : place.middle])
    return found


def _segments(world: World) -> list[tuple[str, bytes]]:
    return [
        (key, body)
        for key, body in sorted(world.objects.items())
        if key.startswith("work/") and key.endswith(".jsonl") and not key.endswith("/input.jsonl")
    ]

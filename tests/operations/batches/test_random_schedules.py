"""Whatever happens to a batch, in whatever order: it ends, and what it has then adds up."""

from typing import Literal

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.batch_fakes import Process
from tests.operations.batches.deaths import undisturbed
from tests.operations.batches.harness import Scene, survives
from tests.operations.batches.verdicts import assert_adds_up, assert_same
from tests.operations.batches.ways_in import WAYS_IN, Arrive

Event = tuple[Literal["work", "finish", "sweep", "drop", "cancel", "wait", "double", "lose"], int, bool]

events = st.lists(
    st.tuples(
        st.sampled_from(["work", "work", "work", "finish", "sweep", "drop", "cancel", "wait", "double", "lose"]),
        st.integers(1, 40),
        st.booleans(),
    ),
    max_size=12,
)


def happen(scene: Scene, event: Event, arrive: Arrive) -> None:
    """One event. Processes may die at their n-th effect; messages come twice, or never."""
    kind, number, after = event
    process = Process(number, "after" if after else "before")
    match kind:
        case "drop":
            survives(lambda: arrive(scene, process))
        case "work":
            messages = list(scene.world.part_messages)
            if not survives(lambda: scene.work(process)):
                scene.world.part_messages += messages
        case "finish":
            survives(lambda: scene.finish(process))
        case "sweep":
            survives(lambda: scene.sweep(process))
        case "wait":
            scene.time.seconds += number * (3600 if after and number > 38 else 20)
        case "double":
            scene.world.part_messages *= 2
        case "lose":
            scene.world.part_messages.clear()
            if any(batch.state != "ended" for batch in scene.world.batches.values()):
                scene.world.finish_messages.clear()
        case "cancel" if number > 30:
            for batch in scene.world.batches.values():
                scene.world.ports().store.stop(batch.id, "canceled", scene.clock())
        case "cancel":
            pass


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(way=st.sampled_from(sorted(WAYS_IN)), events=events, concurrency=st.integers(1, 9))
def test_whatever_happens_a_batch_ends_and_adds_up(way: str, events: list[Event], concurrency: int) -> None:
    """Within an hour of the last event. Where nothing stopped it, its files are those of an undisturbed run."""
    scene, arrive = WAYS_IN[way].scene(), WAYS_IN[way].arrive
    scene.concurrency = concurrency

    for event in events:
        happen(scene, event, arrive)
    quiet_at = scene.clock()
    arrive(scene, None)
    scene.to_the_end()

    assert_adds_up(scene, WAYS_IN[way].ids)
    ended_at = scene.batch().ended_at
    assert ended_at is not None
    assert ended_at <= quiet_at + 3600
    if scene.batch().stop is None:
        assert_same(scene, undisturbed(way))

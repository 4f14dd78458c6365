"""Whatever dies at whatever step, is delivered twice or out of order: the files are those of an undisturbed run."""

import asyncio
import random

import pytest
from pydantic_core import from_json

from tests.batch_fakes import Process
from tests.operations.batches.deaths import ROLES, WHENS, Death, Role, When, play, steps, undisturbed
from tests.operations.batches.harness import repeated, survives
from tests.operations.batches.verdicts import assert_no_more_calls, assert_same, assert_within_the_window
from tests.operations.batches.ways_in import WAYS_IN

every_way = pytest.mark.parametrize("way", WAYS_IN)


def test_the_undisturbed_run_has_every_kind_of_fate() -> None:
    """What the others are compared with: 14 items, four of them errors; nothing was repeated but what failed."""
    scene = undisturbed("JSON lines")

    errors = [from_json(line) for line in scene.file("errors.jsonl").splitlines()]
    assert [(error["record"], error["error"]["attempts"]) for error in errors] == [(3, 3), (6, 1), (13, 0), (14, 0)]
    assert scene.batch().counts.succeeded == 10
    assert (
        repeated(scene.upstream.calls) == 4
    )  # two further attempts of one item, one of another, and one that had to wait
    assert scene.batch().spent.calls == len(scene.upstream.calls)


@every_way
def test_every_way_in_leads_to_a_result_an_item(way: str) -> None:
    """In the input's order; a text that has something to be told of stands in its result."""
    scene = undisturbed(way)

    lines = [from_json(line) for line in scene.file("results.jsonl").splitlines()]

    assert [line["custom_id"] for line in lines] == WAYS_IN[way].ids
    assert lines[0]["result"]["message"]["content"][0]["text"].startswith("re: ")
    assert "text 1" in lines[0]["result"]["message"]["content"][0]["text"]


@pytest.mark.parametrize("when", WHENS)
@pytest.mark.parametrize("role", ROLES)
@every_way
def test_a_crash_at_any_step_changes_nothing(way: str, role: Role, when: When) -> None:
    """Each effect in turn is the last that a process has, done or not done; then its message comes again."""
    way_in = WAYS_IN[way]
    effects = steps(way_in.scene, way_in.arrive, role)
    deaths: list[Death] = []

    for effect in range(1, effects + 1):
        scene, death = way_in.scene(), Death(role, effect, when)
        deaths.append(death)

        play(scene, way_in.arrive, death)

        assert death.happened
        assert_same(scene, undisturbed(way))
        assert_within_the_window(scene, death)
    assert len(deaths) >= 4
    if role == "worker" and len(way_in.ids) > 1:
        assert any(0 < len(death.recorded) < len(way_in.ids) for death in deaths)


@pytest.mark.parametrize("seed", range(6))
@every_way
def test_whatever_dies_again_and_again_the_files_are_the_same(way: str, seed: int) -> None:
    """Every process dies at a random step, for a while; messages are lost, doubled and shuffled; the schedule runs."""
    chance = random.Random(f"{way} {seed}")
    scene, arrive = WAYS_IN[way].scene(), WAYS_IN[way].arrive

    def doomed() -> Process:
        return Process(chance.randint(1, 30), chance.choice(WHENS))

    while not survives(lambda: arrive(scene, doomed())):
        scene.time.seconds += 60
    for _ in range(5):
        messages = list(scene.world.part_messages)
        if not survives(lambda: scene.work(doomed())):
            scene.world.part_messages += messages * chance.randint(0, 2)
        survives(lambda: scene.finish(doomed()))
        scene.time.seconds += chance.choice([10, 100, 1000])
        survives(lambda: scene.sweep(doomed()))
        chance.shuffle(scene.world.part_messages)
    scene.to_the_end()

    assert_same(scene, undisturbed(way))


@every_way
def test_every_message_twice_at_the_same_time_pays_each_row_once(way: str) -> None:
    """B02: two workers get the same messages at once, in another order; the intake and the finisher run twice, too."""
    scene, arrive = WAYS_IN[way].scene(), WAYS_IN[way].arrive
    arrive(scene, None)
    arrive(scene, None)
    messages = scene.world.part_messages
    assert set(messages) == {(scene.batch().id, number) for number in range(1, scene.batch().parts + 1)}

    async def both() -> None:
        first, second = scene.worker(), scene.worker()
        await asyncio.gather(
            *(first.run(batch_id, number) for batch_id, number in messages),
            *(second.run(batch_id, number) for batch_id, number in reversed(messages)),
            *(first.run(batch_id, number) for batch_id, number in messages),
        )

    scene.run(both())
    scene.world.finish_messages *= 2
    scene.finish()

    assert_same(scene, undisturbed(way))
    assert_no_more_calls(scene, undisturbed(way))
    assert scene.batch().spent.calls == len(scene.upstream.calls)


@every_way
def test_messages_that_come_after_the_end_change_nothing(way: str) -> None:
    """SQS keeps a message for days: each comes once more, the finisher's before the workers'."""
    scene, arrive = WAYS_IN[way].scene(), WAYS_IN[way].arrive
    batch = arrive(scene, None)
    messages = list(scene.world.part_messages)
    scene.work()
    scene.finish()

    scene.time.seconds += 4000
    scene.world.finish_messages.append(batch.id)
    scene.finish()
    scene.world.part_messages[:] = messages
    scene.work()
    arrive(scene, None)
    scene.sweep()
    scene.work()
    scene.finish()

    assert_same(scene, undisturbed(way))
    assert_no_more_calls(scene, undisturbed(way))

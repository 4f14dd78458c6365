"""Whatever dies at whatever step, is delivered twice or out of order: the files are those of an undisturbed run."""

import asyncio
import random
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any, Literal

import pytest
from pydantic_core import from_json

from megallm.errors import GatewayError, InvalidRequest, RateLimited, UpstreamFailed
from megallm.messages.events import Reply
from megallm.operations.part_attempt import MOST_CRASHES
from megallm.operations.part_recorder import CHECKPOINT_ITEMS
from tests.batch_fakes import Crash, Process
from tests.operations.batches.harness import Scene, message_lines, repeated, survives
from tests.operations.batches.upstream import Upstream, echo

Role = Literal["intake", "worker", "finisher"]
When = Literal["before", "after"]

ROLES: tuple[Role, ...] = ("intake", "worker", "finisher")
VISIBILITY_SECONDS = 400.0


def answer(text: str, nth: int) -> Reply | GatewayError:
    """Every kind of an item's fate."""
    match text:
        case "fails":
            return UpstreamFailed("It failed")
        case "refused":
            return InvalidRequest("messages: no", param="messages")
        case "busy" if nth == 1:
            return RateLimited("Slowly", headers={"retry-after": "2"})
        case _:
            return echo(text, nth)


TEXTS = [f"text {number}" for number in range(32)]
TEXTS[3], TEXTS[15], TEXTS[29] = "fails", "refused", "busy"
BODY = message_lines(TEXTS) + b"nonsense\n" + message_lines(["doubled"])


def scene() -> Scene:
    """Three parts, each with several checkpoints: two calls at a time, of a second each."""
    return Scene(upstream=Upstream(answer, seconds=1.0), concurrency=2, items_a_part=12)


@dataclass
class Death:
    """One process of this role dies, the first one, at its *effect*-th effect."""

    role: Role
    effect: int
    when: When
    happened: bool = False

    def process(self, role: Role) -> Process:
        """A new process of this role: the doomed one or another."""
        if role != self.role or self.happened:
            return Process()
        self.happened = True
        return Process(self.effect, self.when)


def play(scene: Scene, death: Death) -> None:
    """As SQS delivers: what died without an end comes again when it is visible again."""

    def until_it_survives(role: Role, work: Callable[[Process], object]) -> None:
        while not survives(lambda: work(death.process(role))):
            scene.time.seconds += VISIBILITY_SECONDS

    until_it_survives("intake", lambda process: scene.drop(BODY, process=process))
    while scene.batch().state != "ended":
        assert scene.world.part_messages or scene.world.finish_messages
        messages = list(scene.world.part_messages)

        def work(process: Process, messages: list[tuple[str, int]] = messages) -> None:
            scene.world.part_messages[:] = [*messages]
            scene.work(process)

        if messages:
            until_it_survives("worker", work)
        until_it_survives("finisher", scene.finish)


def steps(role: Role) -> int:
    """How many effects an undisturbed process of this role has."""
    process = Process()
    scene_ = scene()
    scene_.drop(BODY, process=process if role == "intake" else None)
    scene_.work(process if role == "worker" else None)
    scene_.finish(process if role == "finisher" else None)
    return len(process.effects)


def steady(manifest: dict[str, Any]) -> dict[str, Any]:  # Any: JSON
    """A manifest without times, calls and cost."""
    changing = ("usage", "routes", "created_at", "ended_at", "seconds")
    return {name: value for name, value in manifest.items() if name not in changing}


@pytest.fixture(scope="module")
def undisturbed() -> Scene:
    scene_ = scene()
    play(scene_, Death("intake", 0, "before", happened=True))
    return scene_


def assert_same(disturbed: Scene, undisturbed: Scene) -> None:
    assert disturbed.file("results.jsonl") == undisturbed.file("results.jsonl")
    assert disturbed.file("errors.jsonl") == undisturbed.file("errors.jsonl")
    assert steady(disturbed.manifest()) == steady(undisturbed.manifest())
    assert disturbed.batch().counts == undisturbed.batch().counts
    assert sorted(disturbed.world.objects) == sorted(undisturbed.world.objects)


def test_the_undisturbed_run_has_every_kind_of_fate(undisturbed: Scene) -> None:
    """What the others are compared with: 34 items, four of them errors; nothing was repeated but what failed."""
    errors = [from_json(line) for line in undisturbed.file("errors.jsonl").splitlines()]

    assert [(error["record"], error["error"]["attempts"]) for error in errors] == [(4, 3), (16, 1), (33, 0), (34, 0)]
    assert undisturbed.batch().counts.succeeded == 30
    assert repeated(undisturbed.upstream.calls) == 3  # two further attempts of one item, and one that had to wait
    assert undisturbed.batch().spent.calls == len(undisturbed.upstream.calls)


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("role", ROLES)
def test_a_crash_at_any_step_changes_nothing(role: Role, when: When, undisturbed: Scene) -> None:
    """Each effect in turn is the last that a process has, done or not done; then its message comes again."""
    for effect in range(1, steps(role) + 1):
        scene_ = scene()
        death = Death(role, effect, when)

        play(scene_, death)

        assert death.happened
        assert_same(scene_, undisturbed)
        again = repeated(scene_.upstream.calls) - repeated(undisturbed.upstream.calls)
        assert again <= scene_.concurrency + CHECKPOINT_ITEMS
        assert again == 0 or role == "worker"
        uncounted = len(scene_.upstream.calls) - scene_.batch().spent.calls
        assert 0 <= uncounted <= scene_.concurrency + CHECKPOINT_ITEMS
        assert uncounted == 0 or role == "worker"


@pytest.mark.parametrize("seed", range(10))
def test_whatever_dies_again_and_again_the_files_are_the_same(seed: int, undisturbed: Scene) -> None:
    """Every process dies at a random step, for a while; the schedule runs in between."""
    chance = random.Random(seed)
    scene_ = scene()

    def doomed() -> Process:
        return Process(chance.randint(1, 30), chance.choice(["before", "after"]))

    while not survives(lambda: scene_.drop(BODY, process=doomed())):
        scene_.time.seconds += 60
    for _ in range(5):
        messages = list(scene_.world.part_messages)
        if not survives(lambda: scene_.work(doomed())):
            scene_.world.part_messages += messages * chance.randint(0, 2)
        survives(lambda: scene_.finish(doomed()))
        scene_.time.seconds += chance.choice([10, 100, 1000])
        survives(lambda: scene_.sweep(doomed()))
        chance.shuffle(scene_.world.part_messages)
    scene_.to_the_end()

    assert_same(scene_, undisturbed)


def test_every_message_twice_at_the_same_time_pays_each_row_once(undisturbed: Scene) -> None:
    """B02: two workers get the same messages at once, in another order; the intake and the finisher run twice, too."""
    scene_ = scene()
    scene_.drop(BODY)
    scene_.drop(BODY)
    messages = scene_.world.part_messages
    assert Counter(messages) == {(scene_.batch().id, number): 1 for number in (1, 2, 3)}

    async def both() -> None:
        first, second = scene_.worker(), scene_.worker()
        await asyncio.gather(
            *(first.run(batch_id, number) for batch_id, number in messages),
            *(second.run(batch_id, number) for batch_id, number in reversed(messages)),
            *(first.run(batch_id, number) for batch_id, number in messages),
        )

    scene_.run(both())
    scene_.world.finish_messages *= 2
    scene_.finish()

    assert_same(scene_, undisturbed)
    assert Counter(scene_.upstream.calls) == Counter(undisturbed.upstream.calls)
    assert scene_.batch().spent.calls == len(scene_.upstream.calls)


@pytest.mark.parametrize("effect", range(2, 30, 3))
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
    assert 0 < repeated(scene_.upstream.calls) <= min(done, 8 + CHECKPOINT_ITEMS)


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

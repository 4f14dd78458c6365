"""Batches that end without a worker: refused, or only counted. Their end survives every crash, too."""

import gzip
from functools import cache

import pytest
from pydantic_core import to_json

from megallm.batches.model import Counts, Spent
from megallm.operations.sweep_batches import INDEXING_SECONDS
from tests.batch_fakes import BUCKET, Process
from tests.operations.batches.deaths import WHENS, Death, When, no_death, play, steps
from tests.operations.batches.harness import Scene, survives
from tests.operations.batches.verdicts import assert_same, steady
from tests.operations.batches.ways_in import REQUESTS, Arrive, dropped, job_message, lines_of

LINES = lines_of(REQUESTS)
KEY = "inbox/messages/in.jsonl"

REFUSED: dict[str, tuple[Arrive, str]] = {
    "options of the metadata": (
        dropped(KEY, LINES, {"megallm-max-cost": "cheap"}),
        "max_cost: Input should be a valid number",
    ),
    "options of the first line": (
        dropped(KEY, to_json({"job": {"max_attempts": 99}}) + b"\n" + LINES),
        "The first line: max_attempts: Input should be less than or equal to 10",
    ),
    "an unreadable job": (
        job_message({"task": "messages"}),
        "source: either items or a source is required, and not both",
    ),
    "a job's options": (
        job_message({"task": "summarize", "options": {"style": "haiku"}, "items": [1]}),
        "style: 'haiku' is none of 'bullet_points', 'paragraph', 'executive' or 'eli5'",
    ),
    "a foreign pointer": (
        job_message({"task": "messages", "source": "s3://another/uploads/in.jsonl"}),
        f"source: it must be in s3://{BUCKET}/",
    ),
    "a broken gzip": (
        dropped(f"{KEY}.gz", gzip.compress(LINES, mtime=0)[:-9]),
        "The gzip breaks off before its end",
    ),
    "an array that breaks off": (
        dropped("inbox/messages/in.json", to_json(REQUESTS)[:-1]),
        "The JSON array breaks off after element 11",
    ),
}
every_refusal = pytest.mark.parametrize("refusal", REFUSED)

DRY_RUN = dropped(KEY, LINES + b"nonsense\n", {"dry-run": "true"})


def played(arrive: Arrive, death: Death) -> Scene:
    scene = Scene(items_a_part=4)
    play(scene, arrive, death)
    return scene


@cache
def undisturbed(arrive: Arrive) -> Scene:
    return played(arrive, no_death())


@every_refusal
def test_a_refused_batch_says_why(refusal: str) -> None:
    """In its record, its manifest and what is told; its other files are there, and empty."""
    arrive, problem = REFUSED[refusal]
    scene = undisturbed(arrive)

    assert (scene.batch().problem, scene.manifest()["problem"]) == (problem, problem)
    assert (scene.file("results.jsonl"), scene.file("errors.jsonl")) == (b"", b"")
    assert scene.world.told == [scene.batch()]
    assert not [key for key in scene.world.objects if key.startswith("work/")]


@pytest.mark.parametrize("when", WHENS)
@every_refusal
def test_a_refused_batch_ends_whatever_dies(refusal: str, when: When) -> None:
    """Its files come first, then its record, then who listens: each in turn is the last."""
    arrive, _ = REFUSED[refusal]
    effects = steps(Scene, arrive, "intake")
    assert effects >= 6  # the record, three files, its end, the event

    for effect in range(1, effects + 1):
        death = Death("intake", effect, when)

        scene = played(arrive, death)

        assert death.happened
        assert_same(scene, undisturbed(arrive))


def test_a_dry_run_counts_and_calls_nothing() -> None:
    """What is compared below: twelve items at most 50 tokens long, and a line that is none."""
    scene = undisturbed(DRY_RUN)
    usage = scene.manifest()["usage"]

    assert (scene.batch().total, scene.batch().counts, scene.batch().spent) == (13, Counts(), Spent())
    assert (usage["calls"], usage["output_tokens"]) == (12, 12 * 50)
    assert usage["cost_usd"] == pytest.approx((2 * usage["input_tokens"] + 10 * usage["output_tokens"]) / 1e6)
    assert sum(scene.manifest()["failures"].values()) == 1
    assert scene.upstream.calls == []


@pytest.mark.parametrize("when", WHENS)
def test_a_dry_run_ends_whatever_dies(when: When) -> None:
    """It has counted the same then, and has still called nothing."""
    expected = undisturbed(DRY_RUN)
    for effect in range(1, steps(Scene, DRY_RUN, "intake") + 1):
        death = Death("intake", effect, when)

        scene = played(DRY_RUN, death)

        assert death.happened
        assert_same(scene, expected)
        assert scene.manifest()["usage"] == expected.manifest()["usage"]
        assert (scene.upstream.calls, scene.batch().spent) == ([], Spent())


@every_refusal
def test_a_refused_batch_is_never_worked_on_by_the_schedule(refusal: str) -> None:
    """The intake died once it had recorded the batch, and its message does not come again before the schedule does."""
    arrive, _ = REFUSED[refusal]
    scene = Scene()

    assert not survives(lambda: arrive(scene, Process(_effect_of(arrive, "create"), "after")))
    scene.time.seconds += INDEXING_SECONDS + 1
    scene.sweep()

    assert_same(scene, undisturbed(arrive))
    assert scene.upstream.calls == []


def _effect_of(arrive: Arrive, name: str) -> int:
    process = Process()
    arrive(Scene(), process)
    return process.effects.index(name) + 1


@every_refusal
def test_a_refused_batch_stays_refused_when_it_is_delivered_again(refusal: str) -> None:
    """Twice, and by the schedule of a day later."""
    arrive, _ = REFUSED[refusal]
    scene = played(arrive, no_death())

    arrive(scene, None)
    scene.time.seconds += 90_000
    scene.sweep()

    assert_same(scene, undisturbed(arrive))
    assert steady(scene.manifest()) == steady(undisturbed(arrive).manifest())

"""When a batch will be done, and which ones cannot be done in time."""

from dataclasses import replace

import pytest

from megallm.batches.expectation import expected_end_of
from megallm.batches.model import LIFETIME_SECONDS, Batch, Job, Source
from megallm.batches.refused import Refused
from megallm.operations.batch_index import IndexRules
from megallm.operations.batch_schedule import expected_end, tokens_left
from megallm.operations.intake_batch import intake_object
from tests.batch_fakes import World
from tests.operations.batches.harness import Scene, in_use, message_lines

RUNNING = Batch(
    id="msgbatch_000000000000000000000001",
    owner="operator",
    job=Job("messages"),
    source=Source("k", "v", "n"),
    state="in_progress",
    created_at=1000.0,
    expires_at=1000.0 + LIFETIME_SECONDS,
    total=100,
    finished=25,
    estimated_tokens=8000,
    expected_end_at=5000.0,
)
NEW = replace(RUNNING, id="msgbatch_000000000000000000000002", total=0, finished=0, estimated_tokens=0)


@pytest.mark.parametrize(
    ("batch", "tokens"),
    [
        (RUNNING, 6000),
        (replace(RUNNING, finished=100), 0),
        (replace(RUNNING, state="canceling", stop="canceled"), 0),
        (replace(RUNNING, state="ended"), 0),
        (replace(RUNNING, state="indexing", total=0, finished=0), 0),
    ],
)
def test_what_is_left_of_a_batch_is_the_share_of_its_open_items(batch: Batch, tokens: int) -> None:
    """Of one that is stopped, nothing is."""
    assert tokens_left(batch) == tokens


def test_a_batch_shares_the_allowance_with_its_owners_others() -> None:
    """Others' batches do not matter; without an allowance there is nothing to tell."""
    store = World().ports().store
    store.create(RUNNING)
    store.create(replace(RUNNING, id="msgbatch_000000000000000000000003", owner="somebody"))

    assert expected_end(store, NEW, 3000, 1000, 50.0) == 50.0 + 60 * (6000 + 3000) / 1000
    assert expected_end(store, NEW, 3000, None, 50.0) is None


def test_what_cannot_end_in_a_day_beside_the_others_is_refused() -> None:
    """Alone it could; the reason tells of the others."""
    store = World().ports().store
    tokens_a_day = 10 * 24 * 60

    assert expected_end(store, NEW, tokens_a_day, 10, 0.0) == LIFETIME_SECONDS
    with pytest.raises(Refused, match=r"this batch would take about 25 hours; a batch has 24"):
        expected_end(store, NEW, tokens_a_day + 600, 10, 0.0)
    store.create(RUNNING)
    with pytest.raises(Refused, match=r"this batch and the open ones of the same owner would take about 34 hours"):
        expected_end(store, NEW, tokens_a_day, 10, 0.0)


@pytest.mark.parametrize(
    ("batch", "end"),
    [
        (RUNNING, 1100.0 + 300.0),
        (replace(RUNNING, finished=0), 5000.0),
        (replace(RUNNING, finished=0, expected_end_at=1050.0), 1100.0),
        (replace(RUNNING, finished=0, expected_end_at=None), None),
        (replace(RUNNING, total=1_000_000, finished=1), 1000.0 + LIFETIME_SECONDS),
        (replace(RUNNING, state="ended", ended_at=1090.0), None),
    ],
)
def test_a_batch_that_runs_is_expected_to_keep_its_pace(batch: Batch, end: float | None) -> None:
    """Until it has one, the first expectation stands; what is late may end any moment, and never after its time."""
    assert expected_end_of(batch, 1100.0) == end


def test_replies_count_when_a_batch_is_taken_or_refused() -> None:
    """The input alone would be done in 17 hours; replies are as much again. The record has what was expected."""
    scene = Scene()
    body = message_lines(["x" * 40_000]).replace(b'"max_tokens":50', b'"max_tokens":64000')
    scene.world.objects["inbox/messages/a.jsonl"] = scene.world.objects["inbox/messages/b.jsonl"] = body

    def taken(key: str, tokens_a_minute: int) -> Batch:
        rules = IndexRules(tokens_a_minute=lambda owner: tokens_a_minute)
        return intake_object(scene.world.ports(), key, "", scene.clock(), in_use, rules)

    refused, fits = taken("inbox/messages/a.jsonl", 10), taken("inbox/messages/b.jsonl", 100)

    assert refused.problem is not None
    assert "about 33 hours" in refused.problem
    assert fits.estimated_tokens == 2 * (len(body) // 4)
    assert fits.expected_end_at == pytest.approx(scene.clock() + fits.estimated_tokens * 0.6)

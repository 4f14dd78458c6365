"""From an object or a job message to a batch: the same one again, its options, and what its items are."""

import gzip

import pytest

from megallm.batches.model import Counts
from tests.operations.batches.harness import Scene, message_lines
from tests.operations.batches.intake import KEY_ID, job
from tests.operations.batches.upstream import Upstream


def test_the_same_object_is_the_same_batch_and_another_version_another() -> None:
    """B14: an event that comes twice changes nothing."""
    scene = Scene()

    first = scene.drop(message_lines(["a"]))
    again = scene.drop(message_lines(["a"]))
    other = scene.drop(message_lines(["b"]))

    assert again == first
    assert other.id != first.id
    assert scene.world.part_messages == [(first.id, 1), (other.id, 1)]


def test_the_same_client_token_is_the_same_batch_for_its_owner() -> None:
    """B14: whatever the second message holds."""
    scene = Scene()

    first = job(scene, "message-1", items=[{"text": "a"}], client_token="t")
    again = job(scene, "message-2", items=[{"text": "b"}], client_token="t")
    others = job(scene, "message-3", items=[{"text": "b"}], client_token="t", owner=KEY_ID)

    assert again.id == first.id
    assert others.id != first.id
    assert len(scene.world.part_messages) == 2


def test_a_client_token_in_a_first_line_counts_too() -> None:
    """B14: wherever it is said."""
    scene = Scene()
    token: dict[str, object] = {"job": {"client_token": "t"}}

    first = job(scene, "message-1", items=[token, {"text": "a"}])
    again = job(scene, "message-2", items=[token, {"text": "a"}])

    assert again.id == first.id
    assert len(scene.world.part_messages) == 1


def test_a_job_message_that_comes_twice_is_one_batch() -> None:
    """Without a token its id in the queue tells."""
    scene = Scene()

    first = job(scene, "message-1", items=[{"text": "a"}])
    again = job(scene, "message-1", items=[{"text": "a"}])
    scene.work()
    scene.finish()

    assert again.id == first.id
    assert scene.batch().counts == Counts(succeeded=1)


def test_options_come_from_the_folder_the_metadata_and_the_first_line() -> None:
    """They are in the record, so that nothing changes its mind later."""
    scene = Scene()
    body = b'{"job": {"max_tokens": 9}}\n{"text": "a"}\n'

    batch = scene.drop(body, "inbox/summarize/eli5/in.jsonl", {"megallm-max-cost": "2.5"})

    options = batch.job.options
    assert (options["style"], options["max_cost"], options["max_tokens"]) == ("eli5", 2.5, 9)
    assert (batch.total, batch.max_microdollars) == (1, 2_500_000)


def test_a_first_item_with_options_counts_in_a_job_message_too() -> None:
    """It is no item, as in a file."""
    scene = Scene()

    batch = job(scene, items=[{"job": {"max_tokens": 9}}, {"text": "a"}])

    assert (batch.problem, batch.total, batch.job.options["max_tokens"]) == (None, 1, 9)


ROWS = message_lines(["a", "b"]).splitlines(keepends=True)


@pytest.mark.parametrize(
    ("key", "body"),
    [
        ("inbox/messages/in.jsonl.gz", gzip.compress(ROWS[0], mtime=0) + gzip.compress(ROWS[1], mtime=0)),
        ("inbox/messages/in.json", b"[" + b",".join(ROWS) + b"]"),
    ],
)
def test_what_cannot_be_cut_is_written_as_lines_first(key: str, body: bytes) -> None:
    """Gzip with all of its members, and a JSON array."""
    scene = Scene()

    batch = scene.drop(body, key)
    scene.work()
    scene.finish()

    assert batch.lines == f"work/{batch.id}/input.jsonl"
    assert [told for _, told in scene.results()] == ["re: a", "re: b"]


def test_a_text_is_one_item() -> None:
    """The whole document."""
    scene = Scene(upstream=Upstream())

    scene.drop(b"One line.\nAnother.\n", "inbox/translate/es/letter.txt")
    scene.work()
    scene.finish()

    assert scene.batch().counts == Counts(succeeded=1)
    assert "One line.\nAnother." in scene.upstream.calls[0]

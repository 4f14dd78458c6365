"""Inputs that the intake refuses: each is a batch that has ended, with its reason and its task."""

import gzip

import pytest
from pydantic_core import to_json

from megallm.batches.model import OPERATOR
from megallm.operations.batch_index import IndexRules
from megallm.operations.intake_batch import Standing, intake_object
from megallm.operations.refuse_job import refuse_job
from megallm.stores.batch_items import batch_to_item
from tests.operations.batches.harness import Scene, in_use, message_lines
from tests.operations.batches.intake import KEY_ID, job, manifest_of, revoked, unknown

NO_SUCH_OPTION = {"megallm-max-cots": "1"}


@pytest.mark.parametrize(
    ("key", "metadata", "standing", "task"),
    [
        ("inbox/translate/es/p.pdf", {}, in_use, "translate"),
        ("inbox/translate/es/in.jsonl", NO_SUCH_OPTION, in_use, "translate"),
        ("inbox/translate/Klingon/in.jsonl", {}, in_use, "translate"),
        ("inbox/summarize", {}, in_use, "summarize"),
        (f"inbox/keys/{KEY_ID}/summarize/eli5/in.jsonl", {}, revoked, "summarize"),
        (f"inbox/keys/{KEY_ID}/summarize/eli5/in.jsonl", {}, unknown, "summarize"),
        ("inbox/keys/no-key/translate/es/in.jsonl", {}, in_use, "translate"),
        ("inbox/messages/in.jsonl", NO_SUCH_OPTION, in_use, "messages"),
        ("inbox/dance/in.jsonl", {}, in_use, "messages"),
        ("elsewhere/translate/es/in.jsonl", {}, in_use, "messages"),
    ],
)
def test_a_refused_drop_has_the_task_of_its_folder(
    key: str, metadata: dict[str, str], standing: Standing, task: str
) -> None:
    """Whatever it was refused for: in its record, in the manifest, and in what is told."""
    scene = Scene()

    batch = scene.drop(b'{"text": "a"}\n', key, metadata, standing=standing)

    assert batch.problem is not None
    assert (batch.job.task, manifest_of(scene, batch)["task"], scene.world.told) == (task, task, [batch])


@pytest.mark.parametrize(
    ("body", "task"),
    [
        (b'{"version": 1, "task": "translate", "items": [{"text": "a"}]}', "translate"),
        (b'{"version": 2, "task": "summarize", "items": [{"text": "a"}]}', "summarize"),
        (b'{"task": "dance"}', "messages"),
        (b'{"task": ["translate"]}', "messages"),
        (b'["translate"]', "messages"),
        (b'{"task": "translate"', "messages"),
    ],
)
def test_a_refused_job_message_has_the_task_that_it_names(body: bytes, task: str) -> None:
    """As far as it can be read at all."""
    scene = Scene()

    batch = refuse_job(scene.world.ports(), "message-1", body, "It is wrong", scene.clock())

    assert (batch.job.task, batch.owner, manifest_of(scene, batch)["task"]) == (task, OPERATOR, task)


def test_what_is_not_there_is_refused() -> None:
    """An object that was deleted before its event came, and a pointer to nothing."""
    scene = Scene()
    ports = scene.world.ports()

    dropped = intake_object(ports, "inbox/messages/gone.jsonl", '"1"', scene.clock(), in_use)
    pointed_to = job(scene, source="s3://bucket/uploads/gone.jsonl")

    assert dropped.problem == pointed_to.problem == "The object was deleted or replaced before it was read"


def test_metadata_that_contradicts_its_folder_is_refused() -> None:
    """Whoever may write to one folder must not get another's task by a header."""
    scene = Scene()

    batch = scene.drop(b'{"text": "a"}\n', "inbox/summarize/eli5/in.jsonl", {"megallm-style": "executive"})

    assert batch.problem == "style: the folder says it; the metadata must not"


@pytest.mark.parametrize(
    ("key", "body"),
    [
        ("inbox/messages/in.jsonl", b""),
        ("inbox/messages/in.jsonl", b"\n \n"),
        ("inbox/messages/in.jsonl", "héllo".encode("utf-16")),
        ("inbox/messages/in.jsonl", b"\x00\x01\x02" * 10),
        ("inbox/messages/in.jsonl.gz", gzip.compress(message_lines(["a"]), mtime=0)[:-9]),
        ("inbox/messages/in.jsonl.gz", gzip.compress(b"0" * 30_000_000, mtime=0)),
        ("inbox/summarize/haiku/in.jsonl", b'{"text": "a"}\n'),
        ("inbox/translate/klingon-empire/in.jsonl", b'{"text": "a"}\n'),
        ("inbox/dance/in.jsonl", b'{"text": "a"}\n'),
    ],
)
def test_an_input_that_cannot_be_worked_on_is_a_batch_that_ends(key: str, body: bytes) -> None:
    """With a problem, a manifest and an empty file of results; and nothing of it is left in the work folder."""
    scene = Scene()

    batch = scene.drop(body, key)

    assert batch.state == "ended"
    assert batch.problem
    assert manifest_of(scene, batch)["problem"] == batch.problem
    assert not [key for key in scene.world.objects if key.startswith("work/")]


def test_an_input_that_the_allowance_cannot_carry_in_a_day_is_refused() -> None:
    """The reason says how long it would take."""
    scene = Scene()
    scene.world.objects["inbox/messages/in.jsonl"] = message_lines(["x" * 60_000])

    batch = intake_object(
        scene.world.ports(),
        "inbox/messages/in.jsonl",
        "",
        scene.clock(),
        in_use,
        IndexRules(tokens_a_minute=lambda owner: 10),
    )

    assert batch.problem is not None
    assert "25 hours" in batch.problem


@pytest.mark.parametrize(
    ("flags", "problem"),
    [
        ([f"{number:04}" for number in range(21)], "should have at most 20 items"),
        (["x" * 129], "anthropic_beta.0: String should match"),
    ],
)
def test_options_that_no_record_could_hold_refuse_the_batch(flags: list[str], problem: str) -> None:
    """DynamoDB's items have 400 KB: the refusal has a record, a manifest and an event as any other has."""
    scene = Scene()

    batch = scene.drop(to_json({"job": {"anthropic_beta": flags}}) + b"\n" + message_lines(["a"]))

    assert batch.state == "ended"
    assert problem in (batch.problem or "")
    assert len(to_json(batch_to_item(batch))) < 4000
    assert manifest_of(scene, batch)["problem"] == batch.problem
    assert scene.world.told == [batch]

"""A file becomes a batch by a job message, and the failed items of a batch another one."""

from collections.abc import Iterator
from dataclasses import replace

import pytest

from megallm.batches.job_message import parse_job, source_key
from megallm.batches.model import Batch, Job, Source, batch_id_of
from megallm.batches.options import job_of
from megallm.errors import InvalidRequest, NotFound
from megallm.operations.retry_batch import retry_failed
from megallm.operations.upload_batch import Submitted, upload_batch
from tests.batch_fakes import BUCKET, World

SUMMARIES = job_of("summarize", {"style": "executive", "max_cost": 2.5})
LINES = [b'{"custom_id":"a",', b'"text":"x"}\n']


def test_the_file_is_uploaded_and_its_job_points_to_it() -> None:
    """The batch's id is known before anybody has seen the job."""
    world = World()

    submitted = upload_batch(world.ports(), name="texts.jsonl", pieces=LINES, job=SUMMARIES, token="t")

    batch_id = batch_id_of("token", "operator", "t")
    key = f"uploads/{batch_id}/texts.jsonl"
    (body,) = world.job_messages
    message = parse_job(body.encode())
    assert submitted == Submitted(batch_id, is_new=True)
    assert world.objects == {key: b"".join(LINES)}
    assert (source_key(message, BUCKET), message.owner, message.client_token) == (key, "operator", "t")
    assert message.job() == job_of("summarize", {"style": "executive", "max_cost": 2.5, "client_token": "t"})


def test_a_key_s_file_is_below_the_key_s_own_prefix() -> None:
    """DESIGN: a pointer may name nothing else."""
    world = World()

    upload_batch(world.ports(), name="a.txt.gz", pieces=LINES, job=SUMMARIES, token="t", owner="abcdefgh")

    message = parse_job(world.job_messages[0].encode())
    batch_id = batch_id_of("token", "abcdefgh", "t")
    assert source_key(message, BUCKET) == f"uploads/keys/abcdefgh/{batch_id}/a.txt.gz"
    assert message.owner == "abcdefgh"


def test_the_same_token_uploads_nothing_again() -> None:
    """B14: it is the same batch."""
    world = World()
    batch_id = batch_id_of("token", "operator", "t")
    world.ports().store.create(Batch(batch_id, "operator", SUMMARIES, Source("k", "v", "n"), "ended", 1.0, 2.0))

    submitted = upload_batch(world.ports(), name="texts.jsonl", pieces=LINES, job=SUMMARIES, token="t")

    assert submitted == Submitted(batch_id, is_new=False)
    assert (world.objects, world.job_messages) == ({}, [])


def test_a_file_that_is_none_of_ours_is_not_uploaded() -> None:
    """By its name, before a byte is read."""
    world = World()

    with pytest.raises(InvalidRequest, match=r"\.docx files are not taken"):
        upload_batch(world.ports(), name="a.docx", pieces=LINES, job=SUMMARIES, token="t")

    assert (world.objects, world.job_messages) == ({}, [])


def test_an_upload_that_breaks_off_leaves_nothing() -> None:
    """No half file, and nobody is told of one."""
    world = World()

    def broken() -> Iterator[bytes]:
        yield b"{"
        raise OSError

    with pytest.raises(OSError):  # noqa: PT011  this very one
        upload_batch(world.ports(), name="texts.jsonl", pieces=broken(), job=SUMMARIES, token="t")

    assert (world.objects, world.job_messages) == ({}, [])


ERROR = b'{"custom_id":"a","record":1,"error":{"code":"api_error"},"item":{"text":"x"}}\n'
BATCH_ID = "msgbatch_" + "b" * 24


def ended(world: World, job: Job = SUMMARIES, errors: bytes = ERROR, owner: str = "operator") -> Batch:
    batch = Batch(BATCH_ID, owner, job, Source("k", "v", "texts.csv"), "ended", 1.0, 2.0)
    world.ports().store.create(batch)
    world.objects[f"results/{BATCH_ID}/errors.jsonl"] = errors
    return batch


@pytest.mark.parametrize("owner", ["operator", "abcdefgh"])
def test_failed_items_are_submitted_again_as_they_are(owner: str) -> None:
    """With the options of their batch, but for those that made that batch what it was; twice is the same batch."""
    world = World()
    options = {**SUMMARIES.options, "client_token": "first", "dry_run": False}
    ended(world, replace(SUMMARIES, options=options), owner=owner)

    submitted = retry_failed(world.ports(), BATCH_ID)

    message = parse_job(world.job_messages[0].encode())
    assert submitted == Submitted(batch_id_of("token", owner, f"retry-{BATCH_ID}"), is_new=True)
    assert world.objects[source_key(message, BUCKET)] == ERROR
    assert message.job() == job_of(
        "summarize", {"style": "executive", "max_cost": 2.5, "client_token": f"retry-{BATCH_ID}"}
    )


def test_what_has_not_failed_is_not_tried_again() -> None:
    """With a reason each time."""
    world = World()
    batch = ended(world, errors=b"")
    ports = world.ports()

    with pytest.raises(InvalidRequest, match="no item of it failed"):
        retry_failed(ports, BATCH_ID)
    world.batches[BATCH_ID] = replace(batch, state="in_progress")
    with pytest.raises(InvalidRequest, match="has not ended"):
        retry_failed(ports, BATCH_ID)
    with pytest.raises(NotFound):
        retry_failed(ports, "msgbatch_" + "0" * 24)

    assert world.job_messages == []

"""The intake as Lambda calls it."""

import io
import json
from dataclasses import replace

import pytest

from functions.batch_intake.entry import IntakeEntry, again_after
from functions.batch_intake.events import Dropped, dropped_in
from megallm.errors import InternalError
from megallm.operations.batch_ports import ObjectHead
from tests.batch_fakes import BUCKET, MemoryObjects, MemoryQueues, Process, World
from tests.functions.batch_events import TEST_EVENT, failures, from_queue, request_line, s3_body, work_in

KEY = "inbox/messages/my texts+ü.jsonl"


def test_a_dropped_file_becomes_a_batch_whose_parts_are_queued() -> None:
    """Its key is decoded: blanks come as plus signs, and plus signs encoded."""
    world = World()
    world.objects[KEY] = request_line("a") + request_line("b")

    answer = IntakeEntry(work_in(world))(from_queue(s3_body(KEY)), None)

    (batch,) = world.batches.values()
    assert answer == failures()
    assert (batch.source.key, batch.source.name, batch.state, batch.total) == (
        KEY,
        "my texts+ü.jsonl",
        "in_progress",
        2,
    )
    assert world.part_messages == [(batch.id, 1)]


def test_the_same_event_again_makes_no_further_batch() -> None:
    """SQS delivers at least once, and S3 tells at least once."""
    world = World()
    world.objects[KEY] = request_line("a")
    entry = IntakeEntry(work_in(world))

    for _ in range(2):
        entry(from_queue(s3_body(KEY)), None)

    assert len(world.batches) == 1


def test_what_is_no_new_file_is_done_at_once() -> None:
    """S3's test of the notification, a folder made in the console, a deletion, another bucket."""
    world = World()
    bodies = [
        TEST_EVENT,
        s3_body("inbox/messages/"),
        s3_body(KEY, name="ObjectRemoved:Delete"),
        s3_body(KEY, bucket="another"),
    ]

    answer = IntakeEntry(work_in(world))(from_queue(*bodies), None)

    assert (answer, world.batches) == (failures(), {})


def test_a_job_message_becomes_a_batch() -> None:
    """Its items are in it."""
    world = World()
    job = {"version": 1, "task": "summarize", "options": {"style": "eli5"}, "items": [{"text": "Long"}]}

    answer = IntakeEntry(work_in(world))(from_queue(json.dumps(job)), None)

    (batch,) = world.batches.values()
    assert (answer, batch.job.task, batch.state, batch.total) == (failures(), "summarize", "in_progress", 1)


@pytest.mark.parametrize("body", ["no JSON", "[]", "{}", '{"Records": []}', '{"version": 9}'])
def test_a_message_that_nobody_can_read_is_a_refused_batch(body: str) -> None:
    """At once, with the reason where its sender looks; a second delivery is the same batch."""
    world = World()
    entry = IntakeEntry(work_in(world))

    answers = [entry(from_queue(body), None) for _ in range(2)]

    (batch,) = world.batches.values()
    assert answers == [failures(), failures()]
    assert (batch.owner, batch.state, batch.problem is None) == ("operator", "ended", False)
    assert f"results/{batch.id}/manifest.json" in world.objects


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"owner": "aB3dE6gH"}, "owner: there is no key with the id aB3dE6gH"),
        ({"more": 1}, "more: Extra inputs are not permitted"),
    ],
)
def test_a_refused_job_message_is_in_the_operators_list(change: dict[str, object], problem: str) -> None:
    """With its task, and the reason: of nobody it would be in no list."""
    world = World()
    job = {"version": 1, "task": "summarize", "items": [{"text": "Long"}], **change}

    answer = IntakeEntry(work_in(world))(from_queue(json.dumps(job)), None)

    (batch,) = world.batches.values()
    assert (answer, batch.owner, batch.job.task, batch.problem) == (failures(), "operator", "summarize", problem)


def test_one_message_that_fails_comes_again_alone(lines: io.StringIO) -> None:
    """Whatever it was; the log has its place, and nothing of what stands in the message."""
    world = World()
    work = work_in(world)
    work = replace(work, ports=replace(work.ports, objects=_FailsFor(world, KEY)))
    world.objects["inbox/messages/b.jsonl"] = request_line("a")

    answer = IntakeEntry(work)(from_queue(s3_body(KEY), s3_body("inbox/messages/b.jsonl")), None)

    assert answer == failures("id-1")
    assert len(world.batches) == 1
    assert world.again == [("handle", 60)]
    assert '"event":"intake_broken","message_id":"id-1"' in lines.getvalue()
    assert "texts" not in lines.getvalue()


def test_a_failed_message_comes_again_soon_and_then_ever_later() -> None:
    """Five times, over an hour and a half: an outage of minutes makes no dead letter."""
    waits = [again_after(deliveries) for deliveries in range(1, 6)]

    assert waits == [60, 240, 960, 3600, 3600]


def test_a_message_that_cannot_be_had_sooner_has_failed_all_the_same(lines: io.StringIO) -> None:
    """It comes when the queue gives it back."""
    world = World()
    work = work_in(world)
    ports = replace(work.ports, objects=_FailsFor(world, KEY), queues=_Gone(world, Process()))

    answer = IntakeEntry(replace(work, ports=ports))(from_queue(s3_body(KEY)), None)

    assert answer == failures("id-1")
    assert '"event":"intake_waits","message_id":"id-1"' in lines.getvalue()


class _Gone(MemoryQueues):
    """Queues that do not answer."""

    def intake_again(self, receipt: str, after_seconds: int) -> None:
        raise InternalError("The gateway could not have a message come again: AWS did not do it")


class _FailsFor(MemoryObjects):
    """A bucket in which one object makes trouble."""

    def __init__(self, world: World, key: str) -> None:
        super().__init__(world, Process())
        self._key = key

    def head(self, key: str, version: str = "") -> ObjectHead | None:
        if key == self._key:
            raise RuntimeError(key)
        return super().head(key, version)


def test_an_event_is_read_with_its_version() -> None:
    """Where the bucket keeps some."""
    body = s3_body("inbox/a b", "inbox/ü", versions=["v1", "v2"])

    assert dropped_in(body) == [Dropped(BUCKET, "inbox/a b", "v1"), Dropped(BUCKET, "inbox/ü", "v2")]
    assert dropped_in(s3_body("inbox/a")) == [Dropped(BUCKET, "inbox/a", "")]

"""The corpus of bad inputs through the whole engine: each gets a clear word, and its batch ends."""

import tracemalloc
from collections.abc import Iterator
from dataclasses import replace

import pytest
from pydantic_core import from_json

from megallm.batches.model import Counts, part_errors_key, part_key
from megallm.operations.batch_ports import ObjectHead
from megallm.operations.finish_batch import finish_batch
from megallm.operations.intake_batch import intake_object
from tests.batch_fakes import MemoryObjects, Process
from tests.operations.batches.bad_files import MIB, READ, TO_SPANISH, WHOLE_FILES, BadFile, row
from tests.operations.batches.harness import Scene, in_use
from tests.operations.batches.verdicts import assert_adds_up

EMPTY_COUNTS = {"total": 0, "succeeded": 0, "errored": 0, "canceled": 0, "expired": 0}


def ended(file: BadFile) -> Scene:
    """The file was dropped, and whatever was to be done is done."""
    scene = Scene()
    scene.drop(file.body, file.key)
    scene.to_the_end()
    return scene


@pytest.mark.parametrize("name", WHOLE_FILES)
def test_a_file_that_cannot_be_worked_on_is_refused_with_its_reason(name: str) -> None:
    """At once, without a call: in the record, in the manifest, and in what is told."""
    file = WHOLE_FILES[name]
    scene = ended(file)
    manifest = scene.manifest()

    assert (scene.batch().problem, manifest["problem"], manifest["counts"]) == (
        file.problem,
        file.problem,
        EMPTY_COUNTS,
    )
    assert (scene.batch().job.task, manifest["task"]) == (file.task, file.task)
    assert (scene.file("results.jsonl"), scene.file("errors.jsonl")) == (b"", b"")
    assert scene.world.told == [scene.batch()]
    assert scene.upstream.calls == []
    assert not [key for key in scene.world.objects if key.startswith("work/")]


@pytest.mark.parametrize("name", READ)
def test_each_bad_line_gets_its_error_and_the_others_their_results(name: str) -> None:
    """By its true number, and not as anybody else's fault; the manifest sums the reasons up."""
    file = READ[name]
    scene = ended(file)
    errors = [from_json(line) for line in scene.file("errors.jsonl").splitlines()]
    results = [from_json(line) for line in scene.file("results.jsonl").split(b"\n")[:-1]]

    assert_adds_up(scene, file.ids)
    assert [(line["record"], line["error"]["message"]) for line in errors] == list(file.errors)
    assert {(line["error"]["code"], line["error"]["attempts"], line["error"]["fault"]) for line in errors} <= {
        ("invalid_request_error", 0, "customer")
    }
    bad = {record for record, _ in file.errors}
    assert [line["result"]["type"] for line in results] == [
        "errored" if record in bad else "succeeded" for record in range(1, len(file.ids) + 1)
    ]
    assert len(scene.upstream.calls) == len(file.ids) - len(bad)
    assert scene.manifest()["failures"] == {
        f"invalid_request_error: {message}": sum(other == message for _, other in file.errors)
        for _, message in file.errors
    }


class _Generated(MemoryObjects):
    """A bucket in which one object is made while it is read: *head*, *filler* bytes, *tail*."""

    def __init__(self, scene: Scene, key: str, head: bytes, filler: int, tail: bytes) -> None:
        super().__init__(scene.world, Process())
        self._key, self._head, self._filler, self._tail = key, head, filler, tail

    @property
    def size(self) -> int:
        return len(self._head) + self._filler + len(self._tail)

    def head(self, key: str, version: str = "") -> ObjectHead | None:
        return ObjectHead(key, "v1", self.size, {}) if key == self._key else super().head(key, version)

    def read(self, key: str, start: int, end: int, version: str = "") -> bytes:
        if key != self._key:
            return super().read(key, start, end, version)
        head, filler_ends = len(self._head), len(self._head) + self._filler
        filler = max(0, min(end, filler_ends) - max(start, head))
        tail = self._tail[max(0, start - filler_ends) : max(0, end - filler_ends)]
        return self._head[start:end] + b"x" * filler + tail

    def stream(self, key: str, version: str = "") -> Iterator[bytes]:
        if key != self._key:
            yield from super().stream(key, version)
            return
        for start in range(0, self.size, MIB):
            yield self.read(key, start, min(self.size, start + MIB))


@pytest.mark.parametrize(
    ("name", "size", "head", "tail"),
    [
        pytest.param("in.jsonl", 200_000_000, row("a"), row("c"), id="a line"),
        pytest.param("in.json", 50_000_000, b"[" + row("a") + b",", b"," + row("c") + b"]", id="an element"),
    ],
)
def test_a_line_of_200_mb_is_one_error_in_flat_memory(name: str, size: int, head: bytes, tail: bytes) -> None:
    """The file is made while it is read; intake, worker and finisher hold some of its megabytes at a time."""
    scene = Scene()
    key = f"{TO_SPANISH}/{name}"
    large = _Generated(scene, key, head + b'{"text":"', size, b'"}\n' + tail)
    ports = replace(scene.world.ports(), objects=large)

    tracemalloc.start()
    try:
        batch = intake_object(ports, key, "", scene.clock(), in_use)
        for batch_id, number in scene.world.part_messages:
            scene.run(scene.worker(ports=ports).run(batch_id, number))
        finish_batch(ports, batch.id, scene.clock())
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()

    [error] = [from_json(line) for line in scene.file("errors.jsonl").splitlines()]
    assert_adds_up(scene, ["a", "2", "c"])
    assert scene.batch().counts == Counts(succeeded=2, errored=1)
    assert (error["record"], error["error"]["message"], error["item"]) == (
        2,
        "The item is larger than 1,048,576 bytes and was not read",
        None,
    )
    assert peak < 48 * MIB


@pytest.mark.slow
def test_a_million_tiny_lines_are_a_batch_and_one_more_is_refused() -> None:
    """Each line is a record of its own: shown of the first part and of the last. The batch with one more ends."""
    scene = Scene()
    batch = scene.drop(b"1\n" * 1_000_000)
    scene.world.part_messages[:] = [(batch.id, 1), (batch.id, 1000)]
    scene.work()
    one_more = scene.drop(b"1\n" * 1_000_001)

    assert (batch.state, batch.total, batch.parts) == ("in_progress", 1_000_000, 1000)
    for number, first in ((1, 1), (1000, 999_001)):
        results = scene.world.objects[part_key(batch.id, number)].splitlines()
        errors = scene.world.objects[part_errors_key(batch.id, number)].splitlines()
        assert [from_json(line)["custom_id"] for line in results] == [str(first + place) for place in range(1000)]
        assert [from_json(line)["record"] for line in errors] == list(range(first, first + 1000))
    assert (one_more.state, one_more.problem) == ("ended", "The file has more than 1,000,000 items")
    assert scene.world.told == [one_more]
    assert not scene.world.parts[one_more.id]

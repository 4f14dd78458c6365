"""The objects of a part: what an attempt leaves for the next, and what is fixed once and for all."""

import random
import tracemalloc
from collections.abc import Iterator
from dataclasses import replace
from hashlib import sha256
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from megallm.batches.model import Counts, Part, Spent, part_errors_key, part_key, segment_key
from megallm.batches.results import segment_line
from megallm.errors import InternalError
from megallm.operations.part_segments import Closed, Earlier, close_part, earlier_attempts, routes_of, to_bytes
from tests.batch_fakes import MemoryObjects, World
from tests.benchmarks.file_objects import FileObjects

PART = Part("msgbatch_1", 1, 0, 99, first=4, items=2, attempt=1)
ONE = Spent(1, 2, 3, 2, 1)


@pytest.fixture
def objects() -> MemoryObjects:
    return World().ports().objects  # type: ignore[return-value]  # what the fake world makes


def write(objects: MemoryObjects, part: Part, *lines: bytes, spent: Spent = ONE) -> None:
    """A segment of this attempt."""
    objects.put_new(segment_key(part, part.segments), to_bytes(lines, spent, {"p/m": len(lines)}))


def line(record: int, text: bytes, error: bytes | None = None) -> bytes:
    return segment_line(record, b'{"text":"%b"}\n' % text, error)


def test_the_next_attempt_learns_what_is_done_and_what_was_not_counted(objects: MemoryObjects) -> None:
    """The segment that the record counts is in its sums; the other one was written just before a crash."""
    write(objects, PART, line(4, b"a"))
    write(objects, replace(PART, segments=1), line(5, b"b"))

    earlier = earlier_attempts(objects, replace(PART, attempt=2, segments=1))

    assert earlier == Earlier(frozenset({4, 5}), {"0001-000001": ONE})


def test_the_files_are_in_the_order_of_the_records(objects: MemoryObjects) -> None:
    """In whatever order they were finished."""
    write(objects, PART, line(5, b"b", b"why b\n"), line(4, b"a"))

    closed = close_part(objects, PART)

    assert closed == Closed(Counts(succeeded=1, errored=1), {"0001-000000": ONE})
    assert b"".join(objects.stream(part_key("msgbatch_1", 1))) == b'{"text":"a"}\n{"text":"b"}\n'
    assert b"".join(objects.stream(part_errors_key("msgbatch_1", 1))) == b"why b\n"
    assert routes_of(objects, PART) == {"p/m": 2}


def test_what_was_recorded_first_stands(objects: MemoryObjects) -> None:
    """An item whose answer was recorded keeps it, whatever another attempt was told."""
    write(objects, PART, line(4, b"first"), line(5, b"b"))
    write(objects, replace(PART, attempt=2, segments=1), line(4, b"second"))

    close_part(objects, replace(PART, attempt=2, segments=1))

    assert b"".join(objects.stream(part_key("msgbatch_1", 1))) == b'{"text":"first"}\n{"text":"b"}\n'


def test_a_closed_part_stays_as_it_is_whoever_closes_it_again(objects: MemoryObjects) -> None:
    """A lost attempt may write segments that would come first; the part consists of those that it was closed with."""
    second = replace(PART, attempt=2)
    write(objects, second, line(4, b"a"), line(5, b"b"))
    closed = close_part(objects, second)
    files = {key: b"".join(objects.stream(key)) for key in objects.list("results/")}

    write(objects, PART, line(4, b"late", b"late\n"), line(5, b"late"))
    again = close_part(objects, replace(PART, attempt=3))

    assert again.counts == closed.counts == Counts(succeeded=2)
    assert {key: b"".join(objects.stream(key)) for key in objects.list("results/")} == files
    assert earlier_attempts(objects, replace(PART, attempt=3)) is None


def test_a_part_is_not_closed_without_all_of_its_items(objects: MemoryObjects) -> None:
    """That would lose one."""
    write(objects, PART, line(4, b"a"))

    with pytest.raises(InternalError):
        close_part(objects, PART)

    assert earlier_attempts(objects, replace(PART, attempt=2)) == Earlier(frozenset({4}), {"0001-000000": ONE})


class Reading(FileObjects):
    """Counts the requests that read."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.reads = 0

    def read(self, key: str, start: int, end: int, version: str = "") -> bytes:
        self.reads += 1
        return super().read(key, start, end, version)

    def stream(self, key: str, version: str = "") -> Iterator[bytes]:
        self.reads += 1
        return super().stream(key, version)


def large_part(objects: FileObjects, items: int, bytes_each: int, chance: random.Random) -> tuple[Part, bytes, bytes]:
    """A part of results of this size, a few of them errors, in segments of fifty: what its files are to be.

    As items end that run 64 at a time: nearly in order.
    """
    part = Part("msgbatch_1", 1, 0, 99, first=1, items=items, attempt=1)
    places = sorted(range(items), key=lambda place: place + chance.uniform(0, 64))
    results = [b'{"record":%d,"text":"%b"}\n' % (number + 1, b"x" * bytes_each) for number in range(items)]
    errors = [b'{"why":%d}\n' % number if number % 90 == 7 else None for number in range(items)]
    for at in range(0, items, 50):
        lines = [segment_line(place + 1, results[place], errors[place]) for place in places[at : at + 50]]
        objects.put(segment_key(part, at // 50), to_bytes(lines, Spent(), {}))
    return part, b"".join(results), b"".join(error for error in errors if error)


@pytest.mark.parametrize(("items", "bytes_each"), [(1000, 200), (400, 100_000), (12, 5_000_000)])
def test_a_part_of_any_size_is_closed_in_the_same_memory(tmp_path: Path, items: int, bytes_each: int) -> None:
    """Results of 60 kilobytes, of 40 megabytes and of 60: some tens of megabytes are held, and few requests made."""
    objects = Reading(tmp_path)
    part, results, errors = large_part(objects, items, bytes_each, random.Random(0))
    expected = (sha256(results).digest(), sha256(errors).digest())
    size = len(results)
    del results

    tracemalloc.start()
    closed = close_part(objects, part)
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    files = (part_key("msgbatch_1", 1), part_errors_key("msgbatch_1", 1))
    written = tuple(sha256(objects.path(key).read_bytes()).digest() for key in files)
    failed = len(range(7, items, 90))
    assert written == expected
    assert closed.counts == Counts(succeeded=items - failed, errored=failed)
    assert most <= min(35_000_000, 8 * size)
    assert objects.reads <= 20 + 3 * size / 1_000_000


@settings(deadline=None, max_examples=40)
@given(st.lists(st.tuples(st.integers(1, 6), st.integers(0, 30), st.booleans()), max_size=20), st.integers(1, 4))
def test_the_files_are_those_of_the_first_entries_whatever_the_segments_hold(
    entries: list[tuple[int, int, bool]], a_segment: int
) -> None:
    """Entries twice, in any order, in segments of any size: each record once, its first entry's lines."""
    part = replace(PART, first=1, items=6)
    objects = World().ports().objects
    complete = [*entries, *((record, 1, False) for record in range(1, 7))]
    first: dict[int, tuple[bytes, bytes | None]] = {}
    lines: list[bytes] = []
    for number, (record, size, failed) in enumerate(complete):
        result = b'{"entry":%d,"text":"%b"}\n' % (number, b"x" * size)
        error = b'{"why":%d}\n' % number if failed else None
        first.setdefault(record, (result, error))
        lines.append(segment_line(record, result, error))
    for at in range(0, len(lines), a_segment):
        objects.put(segment_key(part, at), to_bytes(lines[at : at + a_segment], Spent(), {}))

    closed = close_part(objects, part)

    failed_ones = [error for _, (_, error) in sorted(first.items()) if error is not None]
    assert b"".join(objects.stream(part_key("msgbatch_1", 1))) == b"".join(
        result for _, (result, _) in sorted(first.items())
    )
    assert closed.counts == Counts(succeeded=6 - len(failed_ones), errored=len(failed_ones))
    if failed_ones:
        assert b"".join(objects.stream(part_errors_key("msgbatch_1", 1))) == b"".join(failed_ones)

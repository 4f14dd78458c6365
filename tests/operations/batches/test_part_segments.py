"""The objects of a part: what an attempt leaves for the next, and what is fixed once and for all."""

from dataclasses import replace

import pytest

from megallm.batches.model import Counts, Part, Spent, part_errors_key, part_key, segment_key
from megallm.batches.results import segment_line
from megallm.errors import InternalError
from megallm.operations.part_segments import Closed, Earlier, close_part, earlier_attempts, routes_of, to_bytes
from tests.batch_fakes import MemoryObjects, World

PART = Part("msgbatch_1", 1, 0, 99, first=4, items=2, attempt=1)
ONE = Spent(1, 2, 3, 1)


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

    assert earlier == Earlier(frozenset({4, 5}), ONE)


def test_the_files_are_in_the_order_of_the_records(objects: MemoryObjects) -> None:
    """In whatever order they were finished."""
    write(objects, PART, line(5, b"b", b"why b\n"), line(4, b"a"))

    closed = close_part(objects, PART)

    assert closed == Closed(Counts(succeeded=1, errored=1), ONE)
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

    assert earlier_attempts(objects, replace(PART, attempt=2)) == Earlier(frozenset({4}), ONE)

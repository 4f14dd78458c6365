"""Laws of the index: the same parts however the bytes arrive, ranges end to end, records that a worker finds."""

import json
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from megallm.batches.indexing import LineIndexer
from megallm.batches.lines import Record
from megallm.batches.refused import Refused
from tests.batches.indexed import Indexed, all_records, index, pieces_of, records
from tests.batches.samples import TRANSLATE

LINES = st.sampled_from(
    [
        b'{"custom_id":"a","text":"A"}',
        b'{"custom_id":"b","text":"B"}',
        b'{"custom_id":3,"text":"C"}',
        b'{"text":"no id"}',
        '{"text":"\u2028\u0085\u2029"}'.encode(),
        b'{"job":{"max_attempts":2}}',
        b"bad",
        b"\xff",
        b"",
        b" \t",
        b"\r",
    ]
) | st.binary(max_size=6)
INPUTS = st.builds(
    lambda mark, lines, tail: mark + b"".join(line + end for line, end in lines) + tail,
    st.sampled_from([b"", b"\xef\xbb\xbf"]),
    st.lists(st.tuples(LINES, st.sampled_from([b"\n", b"\r\n"])), max_size=12),
    LINES,
)
SIZES = st.lists(st.integers(0, 40), max_size=30)
LIMITS = st.fixed_dictionaries({"items_a_part": st.integers(1, 4), "bytes_a_part": st.integers(1, 120)})


def outcome(whole: bytes, sizes: list[int], limits: Any) -> Indexed | str:
    """The index, or why there is none."""
    try:
        return index(pieces_of(whole, sizes), **limits)
    except Refused as refused:
        return refused.problem


@settings(deadline=None)
@given(INPUTS, SIZES, LIMITS)
def test_the_index_does_not_depend_on_how_the_bytes_arrive(whole: bytes, sizes: list[int], limits: Any) -> None:
    """Parts, total, job and refusals alike."""
    assert outcome(whole, sizes, limits) == outcome(whole, [], limits)


@settings(deadline=None)
@given(INPUTS, LIMITS)
def test_the_parts_lie_end_to_end(whole: bytes, limits: Any) -> None:
    """From the first byte behind the job's line to the last; no record is left out or counted twice."""
    indexed = outcome(whole, [], limits)
    if isinstance(indexed, str):
        return

    ends = [part.end for part in indexed.parts]
    assert [part.start for part in indexed.parts] == [indexed.begin, *ends[:-1]]
    assert ends[-1] == len(whole)
    assert [part.number for part in indexed.parts] == list(range(1, len(indexed.parts) + 1))
    assert sum(part.items for part in indexed.parts) == indexed.total
    for part in indexed.parts:
        assert 0 < part.items <= limits["items_a_part"]
        # Blank lines behind the last record belong to its part, however many they are.
        assert len(whole[part.start : part.end].rstrip()) <= limits["bytes_a_part"] or part.items == 1


@settings(deadline=None)
@given(INPUTS, SIZES, LIMITS)
def test_a_worker_finds_the_records_that_the_index_counted(whole: bytes, sizes: list[int], limits: Any) -> None:
    """In any pieces, part by part: the lines of the input that are not blank, cut at line feeds alone."""
    indexed = outcome(whole, [], limits)
    if isinstance(indexed, str):
        return

    lines = [line.removesuffix(b"\r") for line in whole[indexed.begin :].split(b"\n") if line.strip()]
    found = all_records(indexed, whole)
    assert [record.line for record in found] == lines
    assert [record.number for record in found] == list(range(1, indexed.total + 1))
    assert [record for part in indexed.parts for record in records(part, whole, sizes)] == found


@settings(deadline=None)
@given(INPUTS)
def test_all_but_the_first_record_with_an_id_are_marked(whole: bytes) -> None:
    """An id, or the number that stands for it, belongs to one result that is no error."""
    indexed = outcome(whole, [], {})
    if isinstance(indexed, str):
        return

    seen: set[object] = set()
    for record in all_records(indexed, whole):
        shown = shown_id(record)
        assert record.duplicate == (shown in seen)
        seen |= {shown} - {None}


def shown_id(record: Record) -> str | None:
    """The id of a row, as it is written into results; None for a line that holds none."""
    try:
        row = json.loads(record.line)
    except ValueError:
        return None
    return str(row.get("custom_id", record.number)) if isinstance(row, dict) else None


@settings(deadline=None)
@given(INPUTS)
def test_the_bytes_before_the_first_part_hold_no_records(whole: bytes) -> None:
    """A byte order mark, blank lines, and the job's line: nothing else is skipped."""
    indexer = LineIndexer("msgbatch_1", TRANSLATE)
    try:
        indexer.feed(whole)
        indexer.finish()
    except Refused:
        return

    skipped = [line for line in whole[: indexer.begin].removeprefix(b"\xef\xbb\xbf").split(b"\n") if line.strip()]
    assert len(skipped) == (0 if indexer.job_line is None else 1)

"""The index: parts by byte ranges, true record numbers, ids that come twice, and what is refused as a whole."""

import pytest

from megallm.batches.indexing import MAX_BYTES, MAX_ITEMS, with_job_line
from megallm.batches.items import BadItem, read_item
from megallm.batches.lines import MAX_LINE_BYTES, Record
from megallm.batches.model import Part
from megallm.batches.options import job_of
from megallm.batches.refused import Refused
from megallm.errors import InvalidRequest
from tests.batches.indexed import Indexed, all_records, index, records
from tests.batches.samples import SUMMARIZE, TRANSLATE

A, B, C = b'{"custom_id":"a","text":"A"}\n', b'{"custom_id":"b","text":"B"}\n', b'{"custom_id":"c","text":"C"}\n'


def problem(*pieces: bytes, max_items: int = MAX_ITEMS, max_bytes: int = MAX_BYTES) -> str:
    """Why the input is refused."""
    with pytest.raises(Refused) as raised:
        index(pieces, max_items=max_items, max_bytes=max_bytes)
    return raised.value.problem


def test_parts_are_ranges_of_at_most_so_many_items() -> None:
    """Records are numbered from 1 through all parts."""
    indexed = index([A + B + C], items_a_part=2)

    cut = len(A + B)
    assert indexed == Indexed(
        parts=[
            Part("msgbatch_1", number=1, start=0, end=cut, first=1, items=2),
            Part("msgbatch_1", number=2, start=cut, end=cut + len(C), first=3, items=1),
        ],
        total=3,
        begin=0,
        job=TRANSLATE,
    )
    assert all_records(indexed, A + B + C) == [
        Record(1, A[:-1], False),
        Record(2, B[:-1], False),
        Record(3, C[:-1], False),
    ]


def test_parts_are_ranges_of_at_most_so_many_bytes_or_of_one_record() -> None:
    """A record that is larger than a part is one of its own."""
    long = b'{"text":"%b"}\n' % (b"x" * 200)

    indexed = index([A + B + long + C], bytes_a_part=len(A + B))

    assert [(part.start, part.end, part.items) for part in indexed.parts] == [
        (0, len(A + B), 2),
        (len(A + B), len(A + B + long), 1),
        (len(A + B + long), len(A + B + long + C), 1),
    ]


def test_a_byte_order_mark_crlf_blank_lines_and_a_missing_end_make_no_records() -> None:
    """B10: the one bad line is reported by its true number, and the rest is processed."""
    separator = '{"custom_id":"u","text":"one\u2028two\u0085three\u2029four"}'.encode()
    whole = b"\xef\xbb\xbf" + A.replace(b"\n", b"\r\n") + b"\n \t\r\n" + separator + b"\r\nbad\n" + C.rstrip()

    indexed = index([whole], items_a_part=2)

    assert (indexed.total, indexed.begin, len(indexed.parts)) == (4, 3, 2)
    found = all_records(indexed, whole)
    assert found == [
        Record(1, A[:-1], False),
        Record(2, separator, False),
        Record(3, b"bad", False),
        Record(4, C[:-1], False),
    ]
    items = [read_item(record.line, record.number, TRANSLATE) for record in found]
    assert [(type(item).__name__, item.record, item.custom_id) for item in items] == [
        ("Item", 1, "a"),
        ("Item", 2, "u"),
        ("BadItem", 3, "3"),
        ("Item", 4, "c"),
    ]


def test_the_second_record_with_an_id_is_marked_whatever_part_it_is_in() -> None:
    """The worker sees one part, the index all of them."""
    whole = A + B + A + C + B

    indexed = index([whole], items_a_part=2)

    assert [part.duplicates for part in indexed.parts] == [(), (3,), (5,)]
    assert [record.number for record in all_records(indexed, whole) if record.duplicate] == [3, 5]


def test_ids_are_compared_as_they_will_be_written() -> None:
    """The number 2 and the text "2" both are "2" in the results."""
    whole = b'{"custom_id":2,"text":"a"}\n{"custom_id":"2","text":"b"}\n'

    assert [part.duplicates for part in index([whole]).parts] == [(2,)]


def test_a_bad_line_does_not_take_an_id_away() -> None:
    """It goes by its number, too, but is an error in any case: a row with this number as its id is good."""
    whole = b'bad\n{"custom_id":[],"text":"b"}\n{"custom_id":1,"text":"c"}\n{"custom_id":"2","text":"c"}\n'

    assert [part.duplicates for part in index([whole]).parts] == [()]


def test_the_number_of_a_row_without_an_id_is_its_id() -> None:
    """Two results would have the id 2 otherwise, or 5: the later row of each two is an error."""
    rows = (
        b'{"text":"goes by 1"}',
        b'{"text":"goes by 2"}',
        b'{"custom_id":"2","text":"the same"}',
        b'{"custom_id":5,"text":"a number ahead"}',
        b'{"text":"would go by 5"}',
        b'{"custom_id":2,"text":"the same once more"}',
        b'{"custom_id":"02","text":"another one"}',
        b'{"custom_id":"\xc2\xb2","text":"a digit, but no number"}',
    )
    whole = b"\n".join(rows)

    indexed = index([whole], items_a_part=4)
    items = [
        read_item(record.line, record.number, TRANSLATE, duplicate=record.duplicate)
        for record in all_records(indexed, whole)
    ]

    assert [part.duplicates for part in indexed.parts] == [(3,), (5, 6)]
    assert [(item.record, item.custom_id) for item in items if not isinstance(item, BadItem)] == [
        (1, "1"),
        (2, "2"),
        (4, "5"),
        (7, "02"),
        (8, "\xb2"),
    ]
    assert [(item.record, item.error.message) for item in items if isinstance(item, BadItem)] == [
        (3, "custom_id: an earlier record has the id '2' too"),
        (5, "custom_id: the row has none, and its number 5 is the id of an earlier record"),
        (6, "custom_id: an earlier record has the id '2' too"),
    ]


def test_an_id_that_an_earlier_batch_gave_a_row_counts() -> None:
    """A line of errors.jsonl whose item has no id of its own keeps the number that it had."""
    told = b'{"custom_id":"%d","record":1,"error":{},"item":{"text":"a"}}\n'

    assert [part.duplicates for part in index([told % 2 + told % 7 + told % 2]).parts] == [(3,)]


def test_the_id_field_of_the_options_counts() -> None:
    """Also where the first line names it."""
    whole = b'{"job":{"id_field":"sku"}}\n{"sku":1,"text":"a"}\n{"sku":1,"text":"b"}\n'

    indexed = index([whole])

    assert [part.duplicates for part in indexed.parts] == [(2,)]


def test_a_first_line_of_options_is_no_record() -> None:
    """Parts begin behind it, so that a worker never sees it; the job has the options."""
    line = b'\n{"job": {"max_cost": 2.5, "task": "translate"}}\r\n'

    indexed = index([line + A + B])

    assert indexed == Indexed(
        parts=[Part("msgbatch_1", number=1, start=len(line), end=len(line + A + B), first=1, items=2)],
        total=2,
        begin=len(line),
        job=job_of("translate", {"target_language_codes": ["es"], "max_cost": 2.5}),
    )


@pytest.mark.parametrize(
    "whole", [A + b'{"job":{}}\n', b'{"job":{}}\n{"job":{}}\n', b'{"job":{},"text":"a"}\n', b'{"job":1}\n']
)
def test_any_other_line_is_a_record_even_if_it_has_a_job(whole: bytes) -> None:
    """Only the first, alone in its line, with an object."""
    indexed = index([whole])

    assert all_records(indexed, whole)[-1].line == whole.splitlines()[-1]


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"max_costs": 1}, "The first line: max_costs: no such option of summarize"),
        ({"style": "eli5"}, "The first line: style is not what the batch was submitted with"),
        ({"task": "translate"}, "The first line: task is 'translate', but this is a batch of summarize"),
    ],
)
def test_a_first_line_cannot_say_what_is_unknown_or_was_said_otherwise(options: dict[str, object], told: str) -> None:
    """The folder holds; a typing error is not skipped."""
    with pytest.raises(Refused) as raised:
        with_job_line(SUMMARIZE, options)

    assert raised.value.problem.startswith(told)


@pytest.mark.parametrize("whole", [b"", b"\n", b"\xef\xbb\xbf", b" \r\n\t\n", b'{"job":{}}\n'])
def test_an_input_without_items_is_refused(whole: bytes) -> None:
    """Empty, blank, or nothing but options."""
    assert problem(whole) == "There are no items in the file"


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be"])
def test_utf_16_is_refused_by_its_name(encoding: str) -> None:
    """With a byte order mark or without."""
    assert problem(A.decode().encode(encoding)) == "The file is in UTF-16; it must be in UTF-8"


@pytest.mark.parametrize(
    ("whole", "what"),
    [
        (b"\x00" * 5000, "The file is binary"),
        (A + b"\0", "The file is binary"),
        (b"\x7fELF\x02\x01\x01\x00", "The file is binary"),
        (b"\x89PNG\r\n\x1a\n\x00", "The file is an image"),
        (b"%PDF-1.7\n%\xe2\xe3", "The file is a PDF"),
        (b"PK\x03\x04\x14", "The file is a zip archive or an office document"),
    ],
)
def test_a_binary_file_is_refused(whole: bytes, what: str) -> None:
    """One problem for all of it, in place of thousands of bad lines."""
    assert problem(whole) == f"{what}; .jsonl, .ndjson, .json and .txt files are, each also with .gz"


def test_a_zero_byte_far_inside_is_one_bad_line() -> None:
    """The rest is fine."""
    whole = A * 200 + b'{"text":"\0"}\n'

    assert read_item(all_records(index([whole]), whole)[-1].line, 201, TRANSLATE).original == b'{"text":"\0"}'


def test_more_items_than_the_limit_are_refused() -> None:
    """At the first one that is too many."""
    assert index([A + B], max_items=2).total == 2
    assert problem(A + B + C, max_items=2) == "The file has more than 2 items"


def test_more_bytes_than_the_limit_are_refused() -> None:
    """Blank lines count: they are read, too. So does a line that has not ended yet."""
    assert index([A], max_bytes=len(A)).total == 1
    assert problem(A, b"\n", max_bytes=len(A)) == f"The file has more than {len(A)} bytes"
    assert problem(*[b"x" * 1000] * 11, max_bytes=10_000) == "The file has more than 10,000 bytes"


@pytest.mark.parametrize("long", [b"x" * (3 * MAX_LINE_BYTES), b" " * (3 * MAX_LINE_BYTES) + b'{"text":"a"}'])
def test_a_line_over_the_limit_is_one_bad_record(long: bytes) -> None:
    """It is skipped without being kept, also behind white space; what follows has its true number."""
    whole = A + long + b"\r\n" + C
    indexed = index([whole[at : at + 100_000] for at in range(0, len(whole), 100_000)])

    found = [record for part in indexed.parts for record in records(part, whole, [70_000] * 60)]

    assert found == [
        Record(1, A[:-1], False),
        Record(2, long[: MAX_LINE_BYTES + 1], False),
        Record(3, C[:-1], False),
    ]
    assert isinstance(read_item(found[1].line, 2, TRANSLATE), BadItem)


@pytest.mark.parametrize("end", [b"", b"\n", b"\r\n", b"\r"])
def test_a_line_of_exactly_the_limit_is_whole(end: bytes) -> None:
    """Its end does not count."""
    line = b"x" * MAX_LINE_BYTES
    whole = line + end

    for sizes in ((), (MAX_LINE_BYTES,), (MAX_LINE_BYTES - 1, 1, 1)):
        assert [record.line for record in records(index([whole]).parts[0], whole, sizes)] == [line]


def test_refusals_are_errors_of_the_caller() -> None:
    """So that a route may let them through."""
    with pytest.raises(InvalidRequest):
        index([b""])

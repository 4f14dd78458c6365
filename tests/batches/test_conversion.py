"""What cannot be cut by bytes becomes JSON lines."""

import gzip
import random

import pytest

from megallm.batches.conversion import job_line_in, lines_of
from megallm.batches.formats import HEAD_BYTES
from megallm.batches.lines import MAX_LINE_BYTES
from megallm.batches.refused import Refused
from tests.batches.indexed import pieces_of

ROWS = b'{"text":"a"}\n{"text":"b"}\n'
LONG = b'{"text":"%b"}' % random.Random(1).randbytes(10_000).hex().encode()
ARRAY = b'[{"text":"a"},\n {"text":"b"}]'


def converted(name: str, whole: bytes) -> bytes | None:
    """The lines of a file, or None where it is not converted."""
    lines = lines_of(name, whole[:HEAD_BYTES], pieces_of(whole, [7, 1, 70, 1000]))
    return None if lines is None else b"".join(lines)


def problem(name: str, whole: bytes) -> str:
    """Why the file is refused."""
    with pytest.raises(Refused) as raised:
        converted(name, whole)
    return raised.value.problem


@pytest.mark.parametrize("name", ["a.jsonl", "a.ndjson", "a.json", "a"])
def test_json_lines_are_left_where_they_are(name: str) -> None:
    """Nothing of them is read but the head."""

    pieces = iter([ROWS])

    assert lines_of(name, ROWS, pieces) is None
    assert list(pieces) == [ROWS]


@pytest.mark.parametrize("name", ["a.json", "a", "a.JSON"])
def test_a_json_array_becomes_lines(name: str) -> None:
    """Told by its first letter, also behind a byte order mark and white space."""
    assert converted(name, b"\xef\xbb\xbf \n" + ARRAY) == ROWS


def test_json_lines_that_begin_with_an_array_stay_lines() -> None:
    """Their name says what they are; the first one is a bad record."""
    assert converted("a.jsonl", b'[1]\n{"text":"a"}\n') is None


@pytest.mark.parametrize("name", ["a.txt", "a.TXT", "a.text"])
def test_a_text_is_one_item(name: str) -> None:
    """As it stands, without a byte order mark; line ends and all."""
    assert converted(name, b'\xef\xbb\xbf[one\r\n"two"\n') == b'{"text":"[one\\r\\n\\"two\\"\\n"}\n'


def test_a_text_goes_into_the_field_that_the_job_reads() -> None:
    """`text_fields` may name another one."""
    lines = lines_of("a.txt", b"Hi", [b"Hi"], text_field="body")

    assert lines is not None
    assert list(lines) == [b'{"body":"Hi"}\n']


@pytest.mark.parametrize(
    ("name", "inside", "lines"),
    [
        ("a.jsonl.gz", ROWS, ROWS),
        ("a.json.gz", ARRAY, ROWS),
        ("a.gz", ARRAY, ROWS),
        ("a.txt.gz", b"Hi", b'{"text":"Hi"}\n'),
        ("named-wrongly.jsonl", ROWS, ROWS),
        ("a.jsonl.gz", ROWS * 1000, ROWS * 1000),
        ("a.jsonl.gz", b"", b""),
    ],
)
def test_a_gzip_is_read_like_what_is_inside(name: str, inside: bytes, lines: bytes) -> None:
    """Told by its first bytes; the name tells the rest."""
    assert converted(name, gzip.compress(inside, mtime=0)) == lines


@pytest.mark.parametrize(
    ("name", "whole", "told"),
    [
        ("a.jsonl.gz", ROWS, "'a.jsonl.gz' is named like a gzip and is none"),
        ("a.jsonl.gz", gzip.compress(ROWS, mtime=0)[:-3], "The gzip breaks off before its end"),
        (
            "a.jsonl.gz",
            gzip.compress(gzip.compress(ROWS, mtime=0), mtime=0),
            "The file is packed with gzip more than once",
        ),
        (
            "a.jsonl.gz",
            gzip.compress(ROWS.decode().encode("utf-16"), mtime=0),
            "The file is in UTF-16; it must be in UTF-8",
        ),
        ("a.txt", "Hi".encode("utf-16"), "The file is in UTF-16; it must be in UTF-8"),
        ("a.txt", b"caf\xe9", "The text is not in UTF-8: byte 4 is wrong"),
        ("a.txt", b"", "There is no text in the file"),
        ("a.txt", b" \r\n", "There is no text in the file"),
        (
            "a.txt",
            b"x" * (MAX_LINE_BYTES + 1),
            "The text is larger than 1,048,576 bytes, which is the most for one item",
        ),
        ("a.json", ARRAY[:-1], "The JSON array breaks off after element 1"),
    ],
)
def test_what_cannot_be_converted_is_refused(name: str, whole: bytes, told: str) -> None:
    """As a whole, with the reason."""
    assert problem(name, whole).startswith(told)


@pytest.mark.parametrize(
    ("name", "whole"),
    [
        ("a.jsonl", b'\xef\xbb\xbf\n{"job":{"max_cost":2}}\n' + ROWS),
        ("a.json", b'[{"job":{"max_cost":2}},' + ARRAY[1:]),
        ("a.jsonl.gz", gzip.compress(b'{"job":{"max_cost":2}}\n' + LONG, mtime=0)),
        ("a.json.gz", gzip.compress(b'[{"job":{"max_cost":2}},' + LONG + b"]", mtime=0)),
    ],
)
def test_the_options_of_the_first_line_are_found_in_the_head(name: str, whole: bytes) -> None:
    """Before the whole input is read."""
    assert job_line_in(name, whole) == {"max_cost": 2}
    assert job_line_in(name, whole[:-10]) == {"max_cost": 2}


@pytest.mark.parametrize(
    ("name", "head"),
    [
        ("a.jsonl", ROWS),
        ("a.jsonl", b""),
        ("a.jsonl", b'{"job":{"max_cost":2}'),
        ("a.json", b'[{"job":{"max_cost":2}'),
        ("a.json", b"[1,,2]"),
        ("a.txt", b'{"job":{"max_cost":2}}\n'),
        ("a.txt", b""),
        ("a.jsonl.gz", gzip.compress(ROWS, mtime=0)[:15]),
    ],
)
def test_no_options_are_made_up(name: str, head: bytes) -> None:
    """Of a row, of half a line, of a text."""
    assert job_line_in(name, head) is None

"""The corpus of bad inputs, from the object's key to its items: each gets a clear word, per line or as a whole."""

import gzip
import tracemalloc
from collections import Counter
from dataclasses import replace

import pytest

from megallm.batches.conversion import lines_of
from megallm.batches.formats import HEAD_BYTES
from megallm.batches.inbox import job_of_drop, target_of
from megallm.batches.indexing import LineIndexer
from megallm.batches.items import BadItem, read_item
from megallm.batches.lines import MAX_LINE_BYTES, PartReader
from megallm.batches.refused import Refused
from tests.batches.indexed import all_records, index

MIB = 1024 * 1024
ROW = b'{"custom_id":"%d","text":"a"}\n'
ROWS = ROW % 1 + ROW % 2


def outcome(key: str, whole: bytes) -> str | list[tuple[int, str]]:
    """What becomes of a dropped file: why it is refused, or each record's number and fault ("" where it is fine)."""
    try:
        target = target_of(key)
        job = job_of_drop(target, {})
        pieces = [whole[at : at + MIB] for at in range(0, len(whole), MIB)]
        lines = lines_of(target.name, whole[:HEAD_BYTES], pieces)
        joined = whole if lines is None else b"".join(lines)
        indexed = index([joined], job)
    except Refused as refused:
        return refused.problem
    items = [
        read_item(record.line, record.number, indexed.job, duplicate=record.duplicate)
        for record in all_records(indexed, joined)
    ]
    return [(item.record, item.error.message if isinstance(item, BadItem) else "") for item in items]


TAKEN = ".jsonl, .ndjson, .json and .txt files are, each also with .gz"
DROP = "inbox/translate/es/a.jsonl"


@pytest.mark.parametrize(
    ("key", "whole", "told"),
    [
        (DROP, b"", "There are no items in the file"),
        (DROP, ROWS[:-1], [(1, ""), (2, "")]),
        (DROP, ROWS.replace(b"\n", b"\r\n"), [(1, ""), (2, "")]),
        (DROP, b"\xef\xbb\xbf" + ROWS, [(1, ""), (2, "")]),
        (DROP, ROWS.decode().encode("utf-16"), "The file is in UTF-16; it must be in UTF-8"),
        (DROP, bytes(range(256)) * 10, f"The file is binary; {TAKEN}"),
        (f"{DROP}.gz", gzip.compress(ROWS, mtime=0), [(1, ""), (2, "")]),
        (f"{DROP}.gz", gzip.compress(ROWS, mtime=0)[:-1], "The gzip breaks off before its end"),
        (f"{DROP}.gz", gzip.compress(ROWS, mtime=0)[:20] + b"x" * 20, "The gzip is broken"),
        (f"{DROP}.gz", gzip.compress(bytes(30 * MIB), mtime=0), f"The file is binary; {TAKEN}"),
        (f"{DROP}.gz", gzip.compress(b" " * 30 * MIB, mtime=0), "The gzip unpacks to more than 200 times its size"),
        (
            DROP,
            ROWS + ROW % 1,
            [(1, ""), (2, ""), (3, "custom_id: an earlier record has the id '1' too")],
        ),
        (
            DROP,
            b'[]\n"a"\n5\nnull\n' + ROW % 1,
            [*((number, "The line must be a JSON object") for number in (1, 2, 3, 4)), (5, "")],
        ),
        (
            "inbox/dance/a.jsonl",
            ROWS,
            "'dance' is no task; there are inbox/summarize/<style>/NAME, inbox/translate/<language>/NAME, "
            "inbox/messages/NAME",
        ),
        (
            "inbox/translate/Klingon/a.jsonl",
            ROWS,
            "translate: 'Klingon' is no language code of ours; it should be one of BCP 47, such as es, ja or pt-BR",
        ),
        (
            "inbox/summarize/haiku/a.jsonl",
            ROWS,
            "'haiku' is no style of summaries; there are bullet_points, paragraph, executive, eli5",
        ),
    ],
)
def test_each_bad_input_gets_a_clear_word(key: str, whole: bytes, told: object) -> None:
    """Never an exception, and never a good item among bad ones that is lost."""
    assert outcome(key, whole) == told


def test_a_line_of_200_mb_is_one_bad_record_in_flat_memory() -> None:
    """For the index and for the worker, who read a MiB at a time; what follows has its true number."""
    filler, head, tail = b"x" * MIB, ROW % 1 + b'{"text":"', b'"}\n' + ROW % 3
    indexer = LineIndexer("msgbatch_1", job_of_drop(target_of(DROP), {}))

    tracemalloc.start()
    try:
        parts = [part for piece in (head, *[filler] * 200, tail) for part in indexer.feed(piece)] + indexer.finish()
        reader = PartReader(replace(parts[0], end=parts[-1].end))
        found = [record for piece in (head, *[filler] * 200, tail) for record in reader.feed(piece)]
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()

    assert [(part.first, part.items) for part in parts] == [(1, 1), (2, 1), (3, 1)]
    assert [(record.number, len(record.line)) for record in found] == [
        (1, len(ROW % 1) - 1),
        (2, MAX_LINE_BYTES + 1),
        (3, len(ROW % 3) - 1),
    ]
    assert isinstance(read_item(found[1].line, 2, indexer.job), BadItem)
    assert peak < 8 * MIB


@pytest.mark.slow
def test_a_million_tiny_lines_are_a_million_records() -> None:
    """The limit: one more is refused."""
    tiny = b"1\n" * 1000
    indexer = LineIndexer("msgbatch_1", job_of_drop(target_of(DROP), {}))

    parts = [part for _ in range(1000) for part in indexer.feed(tiny)]

    assert indexer.total == 1_000_000
    assert Counter(part.items for part in parts) == {1000: 999}
    with pytest.raises(Refused, match="The file has more than 1,000,000 items"):
        indexer.feed(b"1\n")

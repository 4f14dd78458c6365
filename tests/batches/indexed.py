"""Runs the indexer over bytes in pieces, and reads its parts back as a worker does."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from megallm.batches.indexing import MAX_BYTES, MAX_ITEMS, LineIndexer
from megallm.batches.lines import PartReader, Record
from megallm.batches.model import BYTES_A_PART, ITEMS_A_PART, Job, Part
from tests.batches.samples import TRANSLATE


@dataclass(frozen=True, slots=True)
class Indexed:
    """What the indexer found."""

    parts: Sequence[Part]
    total: int
    begin: int
    job: Job


def pieces_of(whole: bytes, sizes: Iterable[int]) -> Iterator[bytes]:
    """The bytes in pieces of these sizes, and what is left as one."""
    at = 0
    for size in sizes:
        yield whole[at : at + size]
        at += size
    yield whole[at:]


def index(
    pieces: Iterable[bytes],
    job: Job = TRANSLATE,
    *,
    items_a_part: int = ITEMS_A_PART,
    bytes_a_part: int = BYTES_A_PART,
    max_items: int = MAX_ITEMS,
    max_bytes: int = MAX_BYTES,
) -> Indexed:
    """The parts of an input. Raises Refused."""
    indexer = LineIndexer(
        "msgbatch_1",
        job,
        items_a_part=items_a_part,
        bytes_a_part=bytes_a_part,
        max_items=max_items,
        max_bytes=max_bytes,
    )
    parts = [part for piece in pieces for part in indexer.feed(piece)]
    parts += indexer.finish()
    return Indexed(parts, indexer.total, indexer.begin, indexer.job)


def records(part: Part, whole: bytes, sizes: Iterable[int] = ()) -> list[Record]:
    """The records of a part of the whole, whose bytes come in such pieces."""
    reader = PartReader(part)
    found = [record for piece in pieces_of(whole[part.start : part.end], sizes) for record in reader.feed(piece)]
    return [*found, *reader.finish()]


def all_records(indexed: Indexed, whole: bytes) -> list[Record]:
    """The records of all parts."""
    return [record for part in indexed.parts for record in records(part, whole)]

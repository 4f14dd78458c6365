"""Reads the items of a part from the range of the lines that it is."""

from collections.abc import Collection

from megallm.batches.items import BadItem
from megallm.batches.lines import PartReader, Record
from megallm.batches.model import Batch, Part
from megallm.errors import InvalidRequest
from megallm.operations.batch_ports import ObjectChanged, ObjectStore

# A part and the line that makes it full fit into one read; one huge line is read in pieces, and not kept.
READ_BYTES = 10 * 1024 * 1024


def read_records(objects: ObjectStore, batch: Batch, part: Part, skip: Collection[int]) -> list[Record | BadItem]:
    """The part's records in order, without those to *skip*. Where the input is gone, items that say so."""
    try:
        found = {record.number: record for record in _records(objects, batch, part)}
    except ObjectChanged:
        found = {}
    numbers = (number for number in range(part.first, part.first + part.items) if number not in skip)
    return [found.get(number) or _missing(number) for number in numbers]


def _records(objects: ObjectStore, batch: Batch, part: Part) -> list[Record]:
    reader = PartReader(part)
    records: list[Record] = []
    for start in range(part.start, part.end, READ_BYTES):
        piece = objects.read(batch.lines, start, min(part.end, start + READ_BYTES), batch.lines_version)
        records += reader.feed(piece)
    records += reader.finish()
    return records


def _missing(number: int) -> BadItem:
    error = InvalidRequest("The input was replaced or deleted before this item was read")
    return BadItem(number, str(number), error, b"")

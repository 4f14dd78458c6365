"""The segments of a part: what its attempts have finished so far, an object a checkpoint; and the part's closing.

Timeline of an attempt: object of segment n, then n counted in the record, then n + 1 … An object that was not counted
(the attempt died in between) is taken all the same: its items are paid for. Segments are numbered on over all
attempts, so those from the record's number on are the uncounted ones, and what they spent is counted by whoever comes
next.

Attempts that lost the part may still write segments. So the first who has everything fixes which segments the part
consists of, in an object that is never replaced; the part's files follow from that alone, whoever writes them.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from pydantic_core import from_json, to_json

from megallm.batches.model import Counts, Part, Spent, part_errors_key, part_key, segments_prefix
from megallm.batches.results import SegmentEntry, read_segment
from megallm.errors import InternalError
from megallm.operations.batch_ports import ObjectStore

_CLOSING = "closed.json"
_CANCELED = b'"result":{"type":"canceled"}}\n'
_EXPIRED = b'"result":{"type":"expired"}}\n'


@dataclass(frozen=True, slots=True)
class Segment:
    """The entries of a checkpoint, what was spent since the one before, and how many calls each route answered."""

    entries: Sequence[SegmentEntry]
    spent: Spent
    routes: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class Earlier:
    """The records that earlier attempts at a part have finished, and what they spent and could not count."""

    records: frozenset[int]
    uncounted: Spent


@dataclass(frozen=True, slots=True)
class Closed:
    """A part whose files are written: its counts, and what its uncounted segments spent."""

    counts: Counts
    spent: Spent


def to_bytes(lines: Iterable[bytes], spent: Spent, routes: Mapping[str, int]) -> bytes:
    """The object of a segment; *lines* are ``segment_line``s."""
    head = {"spent": [spent.input_tokens, spent.output_tokens, spent.microdollars, spent.calls], "routes": routes}
    return b"".join((to_json(head), b"\n", *lines))


def from_bytes(data: bytes) -> Segment:
    """What ``to_bytes`` was given."""
    head, _, rest = data.partition(b"\n")
    told = from_json(head)
    return Segment(tuple(read_segment(rest)), Spent(*told["spent"]), told["routes"])


def closing_key(part: Part) -> str:
    """The object that says which segments a part consists of, and that all its items have ended."""
    return f"{segments_prefix(part)}{_CLOSING}"


def is_counted(key: str, part: Part) -> bool:
    """Whether the record, as *part* has it, has counted the segment under this key."""
    name = key.rpartition("/")[2]
    return int(name.removesuffix(".jsonl").partition("-")[2]) < part.segments


def earlier_attempts(objects: ObjectStore, part: Part) -> Earlier | None:
    """What earlier attempts have left; None where the part is closed already."""
    if part.attempt <= 1:
        return Earlier(frozenset(), Spent())
    keys = list(objects.list(segments_prefix(part)))
    if closing_key(part) in keys:
        return None
    records: set[int] = set()
    uncounted = Spent()
    for key in keys:
        segment = _segment(objects, key)
        records.update(entry.record for entry in segment.entries)
        if not is_counted(key, part):
            uncounted = uncounted.plus(segment.spent)
    return Earlier(frozenset(records), uncounted)


def close_part(objects: ObjectStore, part: Part) -> Closed:
    """Writes the part's files, once every item has ended. The same bytes whoever does it, and however often."""
    found = [key for key in objects.list(segments_prefix(part)) if not key.endswith(_CLOSING)]
    segments = {key: _segment(objects, key) for key in found}
    entries = _entries(segments.values(), part)
    closing = {"segments": found, "routes": _routes(segments.values())}
    if not objects.put_new(closing_key(part), to_json(closing)):
        chosen = from_json(_whole(objects, closing_key(part)))["segments"]
        entries = _entries([segments.get(key) or _segment(objects, key) for key in chosen], part)
    if errors := b"".join(entry.error for entry in entries if entry.error is not None):
        objects.put(part_errors_key(part.batch_id, part.number), errors)
    objects.put(part_key(part.batch_id, part.number), b"".join(entry.result for entry in entries))
    spent = Spent()
    for key in found:
        if not is_counted(key, part):
            spent = spent.plus(segments[key].spent)
    return Closed(counts_of(entries), spent)


def routes_of(objects: ObjectStore, part: Part) -> Mapping[str, int]:
    """How many calls each route answered for a closed part."""
    routes: Mapping[str, int] = from_json(_whole(objects, closing_key(part)))["routes"]
    return routes


def counts_of(entries: Iterable[SegmentEntry]) -> Counts:
    """How the items ended."""
    succeeded = errored = canceled = expired = 0
    for entry in entries:
        if entry.error is not None:
            errored += 1
        elif entry.result.endswith(_CANCELED):
            canceled += 1
        elif entry.result.endswith(_EXPIRED):
            expired += 1
        else:
            succeeded += 1
    return Counts(succeeded, errored, canceled, expired)


def _routes(segments: Iterable[Segment]) -> dict[str, int]:
    routes: dict[str, int] = {}
    for segment in segments:
        for route, calls in segment.routes.items():
            routes[route] = routes.get(route, 0) + calls
    return routes


def _entries(segments: Iterable[Segment], part: Part) -> list[SegmentEntry]:
    """One a record, in order; of two, the one that comes first in the segments' order."""
    by_record: dict[int, SegmentEntry] = {}
    for segment in segments:
        for entry in segment.entries:
            by_record.setdefault(entry.record, entry)
    if sorted(by_record) != list(range(part.first, part.first + part.items)):
        raise InternalError(f"Part {part.number} of {part.batch_id} was closed without all of its items")
    return [by_record[record] for record in sorted(by_record)]


def _segment(objects: ObjectStore, key: str) -> Segment:
    return from_bytes(_whole(objects, key))


def _whole(objects: ObjectStore, key: str) -> bytes:
    return b"".join(objects.stream(key))

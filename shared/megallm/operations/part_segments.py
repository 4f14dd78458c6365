"""The segments of a part: what its attempts have finished so far, an object a checkpoint; and the part's closing.

Timeline of an attempt: object of segment n, then n counted in the record, then n + 1 … An object that was not counted
(the attempt died or lost the part in between) is taken all the same: its items are paid for. Segments are numbered on
over all attempts, and nothing is counted without an object: so those from the record's number on are uncounted, and of
several with a lower number all but that of the latest attempt. What they spent is counted by whoever sees them first;
the part's record has their names then.

Attempts that lost the part may still write segments. So the first who has everything fixes which segments the part
consists of, in an object that is never replaced; the part's files follow from that alone, whoever writes them.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import astuple, dataclass
from typing import get_args

from pydantic_core import from_json, to_json

from megallm.batches.model import Counts, Part, Spent, part_errors_key, part_key, segments_prefix
from megallm.batches.segment_scan import End, Place, SegmentScan
from megallm.errors import InternalError
from megallm.operations.batch_ports import ObjectStore
from megallm.operations.entry_reader import EntryReader, Span
from megallm.operations.written import write_pieces

_CLOSING = "closed.json"


@dataclass(frozen=True, slots=True)
class Segment:
    """Where a checkpoint's entries lie, what was spent since the one before, and how many calls each route answered."""

    key: str
    places: Sequence[Place]
    spent: Spent
    routes: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class Earlier:
    """The records that earlier attempts at a part have finished, and the uncounted segments with what they spent."""

    records: frozenset[int]
    uncounted: Mapping[str, Spent]


NOTHING_EARLIER = Earlier(frozenset(), {})


@dataclass(frozen=True, slots=True)
class Closed:
    """A part whose files are written: its counts, and its uncounted segments with what they spent."""

    counts: Counts
    uncounted: Mapping[str, Spent]


def to_bytes(lines: Iterable[bytes], spent: Spent, routes: Mapping[str, int]) -> bytes:
    """The object of a segment; *lines* are ``segment_line``s."""
    head = {"spent": astuple(spent), "routes": routes}
    return b"".join((to_json(head), b"\n", *lines))


def closing_key(part: Part) -> str:
    """The object that says which segments a part consists of, and that all its items have ended."""
    return f"{segments_prefix(part)}{_CLOSING}"


def uncounted_among(keys: Iterable[str], part: Part) -> Mapping[str, str]:
    """Those of a part's segments, by name, that its record, as *part* has it, has not counted: their keys."""
    names = {key.rpartition("/")[2].removesuffix(".jsonl"): key for key in keys}
    latest: dict[int, str] = {}
    for name in sorted(names):
        latest[int(name.partition("-")[2])] = name
    counted = {name for number, name in latest.items() if number < part.segments}.union(part.late)
    return {name: key for name, key in names.items() if name not in counted}


def earlier_attempts(objects: ObjectStore, part: Part) -> Earlier | None:
    """What earlier attempts have left; None where the part is closed already."""
    if part.attempt <= 1:
        return NOTHING_EARLIER
    keys = list(objects.list(segments_prefix(part)))
    if closing_key(part) in keys:
        return None
    records: set[int] = set()
    spent: dict[str, Spent] = {}
    for key in keys:
        segment = _looked_through(key, objects.stream(key))
        records.update(place.record for place in segment.places)
        spent[key] = segment.spent
    uncounted = uncounted_among(keys, part)
    return Earlier(frozenset(records), {name: spent[key] for name, key in uncounted.items()})


def close_part(objects: ObjectStore, part: Part) -> Closed:
    """Writes the part's files, once every item has ended. The same bytes whoever does it, and however often.

    The order of the effects: the closing, the errors, the results. Whoever dies in between is followed by one who finds
    the closing and writes the same files. Memory does not grow with the results: what ``EntryReader`` keeps and reads
    and a writer gathers are 40 MB at most, or six times the largest line. Raises ObjectChanged where the segments are
    gone, since the batch has ended.
    """
    reader = EntryReader(objects)
    found = [key for key in objects.list(segments_prefix(part)) if not key.endswith(_CLOSING)]
    segments = {key: _looked_through(key, reader.segment(key)) for key in found}
    entries = _entries(segments.values(), part)
    closing = {"segments": found, "routes": _routes(segments.values())}
    if not objects.put_new(closing_key(part), to_json(closing)):
        chosen = from_json(_whole(objects, closing_key(part)))["segments"]
        known = (segments.get(key) or _looked_through(key, reader.segment(key)) for key in chosen)
        entries = _entries(known, part)
    if errors := [Span(key, place.middle, place.end) for key, place in entries if place.end > place.middle]:
        write_pieces(objects, part_errors_key(part.batch_id, part.number), reader.pieces(errors))
    results = (Span(key, place.start, place.middle) for key, place in entries)
    write_pieces(objects, part_key(part.batch_id, part.number), reader.pieces(results))
    uncounted = uncounted_among(found, part)
    return Closed(counts_of(entries), {name: segments[key].spent for name, key in uncounted.items()})


def routes_of(objects: ObjectStore, part: Part) -> Mapping[str, int]:
    """How many calls each route answered for a closed part."""
    routes: Mapping[str, int] = from_json(_whole(objects, closing_key(part)))["routes"]
    return routes


def counts_of(entries: Iterable[tuple[str, Place]]) -> Counts:
    """How the items ended."""
    ends = Counter(place.ended for _, place in entries)
    return Counts(**{end: ends[end] for end in get_args(End)})


def _routes(segments: Iterable[Segment]) -> dict[str, int]:
    routes: dict[str, int] = {}
    for segment in segments:
        for route, calls in segment.routes.items():
            routes[route] = routes.get(route, 0) + calls
    return routes


def _entries(segments: Iterable[Segment], part: Part) -> list[tuple[str, Place]]:
    """One a record, in order, with its segment's key; of two, the one that comes first in the segments' order."""
    by_record: dict[int, tuple[str, Place]] = {}
    for segment in segments:
        for place in segment.places:
            by_record.setdefault(place.record, (segment.key, place))
    if sorted(by_record) != list(range(part.first, part.first + part.items)):
        raise InternalError(f"Part {part.number} of {part.batch_id} was closed without all of its items")
    return [by_record[record] for record in sorted(by_record)]


def _looked_through(key: str, pieces: Iterable[bytes]) -> Segment:
    scan = SegmentScan()
    places = [place for piece in pieces for place in scan.feed(piece)]
    scan.finish()
    told = from_json(scan.head)
    return Segment(key, places, Spent(*told["spent"]), told["routes"])


def _whole(objects: ObjectStore, key: str) -> bytes:
    return b"".join(objects.stream(key))

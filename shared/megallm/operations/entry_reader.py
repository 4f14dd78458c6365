"""Reads ranges of a part's segments in the order in which they are wanted, many of them at a time, in bounded memory.

Segments are in the order in which items ended, which is nearly that of the records: so what one chunk of records needs
lies together, in few segments. Small segments are kept from when they were looked through, and not read again.
"""

from collections.abc import Iterable, Iterator
from itertools import groupby
from typing import NamedTuple

from megallm.operations.batch_ports import ObjectStore

# Together with a writer's buffer this is what the closing of a part takes, whatever size its results have.
KEPT_BYTES = 8 * 1024 * 1024
CHUNK_BYTES = 4 * 1024 * 1024
_GAP_BYTES = 128 * 1024  # rather read than left out, since another request would take longer


class Span(NamedTuple):
    """Bytes of one segment."""

    key: str
    start: int
    end: int


class EntryReader:
    """Of one part. What it keeps are whole segments, KEPT_BYTES at most of all of them."""

    def __init__(self, objects: ObjectStore) -> None:
        self._objects = objects
        self._kept: dict[str, bytes] = {}
        self._room = KEPT_BYTES

    def segment(self, key: str) -> Iterator[bytes]:
        """The pieces of a whole segment. Raises ObjectChanged where it is gone."""
        passed: list[bytes] = []
        size = 0
        for piece in self._objects.stream(key):
            size += len(piece)
            if size <= self._room:
                passed.append(piece)
            else:
                passed.clear()
            yield piece
        if size <= self._room:
            self._kept[key] = b"".join(passed)
            self._room -= size

    def pieces(self, spans: Iterable[Span]) -> Iterator[bytes]:
        """The bytes of the spans, one after the other. Raises ObjectChanged."""
        for chunk in _chunks(spans):
            found = {span: found for key, some in _by_key(chunk) for span, found in self._read(key, some)}
            yield b"".join([found[span] for span in chunk])

    def _read(self, key: str, spans: list[Span]) -> Iterator[tuple[Span, bytes]]:
        if (kept := self._kept.get(key)) is not None:
            yield from ((span, kept[span.start : span.end]) for span in spans)
            return
        for run in _runs(spans):
            start = run[0].start
            read = self._objects.read(key, start, run[-1].end)
            yield from ((span, read[span.start - start : span.end - start]) for span in run)


def _chunks(spans: Iterable[Span]) -> Iterator[list[Span]]:
    """As many together as have CHUNK_BYTES; a larger one alone."""
    chunk: list[Span] = []
    size = 0
    for span in spans:
        size += span.end - span.start
        if chunk and size > CHUNK_BYTES:
            yield chunk
            chunk, size = [], span.end - span.start
        chunk.append(span)
    if chunk:
        yield chunk


def _by_key(chunk: list[Span]) -> Iterator[tuple[str, list[Span]]]:
    """The spans of each segment, in the segment's order."""
    for key, some in groupby(sorted(chunk), lambda span: span.key):
        yield key, list(some)


def _runs(spans: list[Span]) -> Iterator[list[Span]]:
    """Those that lie close to each other are one request, of CHUNK_BYTES at most or for a larger one alone."""
    run: list[Span] = []
    for span in spans:
        if run and (span.start - run[-1].end > _GAP_BYTES or span.end - run[0].start > CHUNK_BYTES):
            yield run
            run = []
        run.append(span)
    yield run

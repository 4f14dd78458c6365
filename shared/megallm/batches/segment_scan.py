"""Where the entries of a segment lie, found while its bytes pass by: they are neither kept nor copied. Pure."""

from collections.abc import Iterator
from typing import Literal, NamedTuple

End = Literal["succeeded", "errored", "canceled", "expired"]

_ENDINGS: tuple[tuple[End, bytes], ...] = (
    ("canceled", b'"result":{"type":"canceled"}}\n'),
    ("expired", b'"result":{"type":"expired"}}\n'),
)
_TAIL_BYTES = max(len(ending) for _, ending in _ENDINGS)


class Place(NamedTuple):
    """An entry: its result's bytes from ``start`` to ``middle`` of the object, those of its error on to ``end``."""

    record: int
    start: int
    middle: int
    end: int
    ended: End


class SegmentScan:
    """Bytes of one object in, in any pieces, entries out. ``head`` is its first line, once that has come."""

    def __init__(self) -> None:
        self.head = b""
        self._line: list[bytes] = []
        self._at = 0
        self._open: tuple[int, int, int, int] | None = None  # record, start, middle, end
        self._tail = b""

    def feed(self, piece: bytes) -> Iterator[Place]:
        """The entries that end in this piece. Exhaust it before the next piece."""
        base = self._at
        here = 0
        while here < len(piece):
            if self._open is None:
                line_end = piece.find(b"\n", here)
                if line_end < 0:
                    self._line.append(piece[here:])
                    break
                self._line.append(piece[here:line_end])
                here = line_end + 1
                self._begin(base + here)
                continue
            record, start, middle, end = self._open
            now = base + here
            if now < middle:
                self._tail = (self._tail + piece[here : middle - base])[-_TAIL_BYTES:]
            here = min(len(piece), end - base)
            if base + here == end:
                yield Place(record, start, middle, end, _ended(self._tail, has_error=end > middle))
                self._open, self._tail = None, b""
        self._at = base + len(piece)

    def finish(self) -> None:
        """All bytes were fed. Raises ValueError where the segment is cut off."""
        if self._open is not None or self._line or not self.head:
            raise ValueError("A segment is cut off")

    def _begin(self, at: int) -> None:
        line = b"".join(self._line)
        self._line.clear()
        if not self.head:
            self.head = line
            return
        record, result, error = map(int, line.split())
        self._open = (record, at, at + result, at + result + error)


def _ended(tail: bytes, *, has_error: bool) -> End:
    if has_error:
        return "errored"
    return next((end for end, ending in _ENDINGS if tail.endswith(ending)), "succeeded")

r"""Cuts bytes into lines, whatever pieces they come in, and a part's bytes into its records.

A line ends with ``\n`` alone, or with the input: U+2028 and U+0085 are letters inside of JSON strings. A ``\r`` before
it is no part of the line. Lines of white space are no records.
"""

from collections.abc import Iterator
from typing import NamedTuple

from megallm.batches.model import Part

# What an item may have. One byte more of a longer line is kept, which is how the others know.
MAX_LINE_BYTES = 1024 * 1024


class Line(NamedTuple):
    """A line without its end, at most one byte over MAX_LINE_BYTES of it; ``size`` is in bytes, its end included."""

    text: bytes
    size: int

    def is_record(self) -> bool:
        """Whether there is anything in it. What is too long counts, also where all that was kept is white space."""
        return len(self.text) > MAX_LINE_BYTES or bool(self.text and not self.text.isspace())


class LineCutter:
    """Bytes in, whole lines out. Holds one line at most, and of that not much more than MAX_LINE_BYTES."""

    def __init__(self) -> None:
        self._kept: list[bytes] = []
        self._kept_bytes = 0
        self._size = 0  # of the open line, with what was not kept of it

    def feed(self, piece: bytes) -> Iterator[Line]:
        """The lines that end in this piece. Exhaust it before the next piece."""
        last = piece.rfind(b"\n")
        if last < 0:
            self._keep(piece)
            return
        first = piece.find(b"\n") + 1
        if self._size:
            self._keep(piece[:first])
            yield self._line()
        else:
            first = 0
        if first <= last:
            for text in piece[first:last].split(b"\n"):
                yield Line(_shortened(text.removesuffix(b"\r")), len(text) + 1)
        self._keep(piece[last + 1 :])

    def finish(self) -> Iterator[Line]:
        """The last line, where the input does not end with a line's end."""
        if self._size:
            yield self._line()

    def _keep(self, piece: bytes) -> None:
        self._size += len(piece)
        # Two more than a line may have: the \r and the \n at its end do not count.
        room = MAX_LINE_BYTES + 3 - self._kept_bytes
        if room > 0 and piece:
            self._kept.append(piece[:room])
            self._kept_bytes += min(room, len(piece))

    def _line(self) -> Line:
        text = b"".join(self._kept)
        line = Line(_shortened(text.removesuffix(b"\n").removesuffix(b"\r")), self._size)
        self._kept, self._kept_bytes, self._size = [], 0, 0
        return line


class Record(NamedTuple):
    """One record of a part: what ``read_item`` takes."""

    number: int
    line: bytes
    duplicate: bool


class PartReader:
    """The bytes of a part in, in any pieces, its records out: those that the index counted. Memory is flat."""

    def __init__(self, part: Part) -> None:
        self._cutter = LineCutter()
        self._next = part.first
        self._duplicates = frozenset(part.duplicates)

    def feed(self, piece: bytes) -> Iterator[Record]:
        """The records that end in this piece. Exhaust it before the next piece."""
        return self._records(self._cutter.feed(piece))

    def finish(self) -> Iterator[Record]:
        """The last record."""
        return self._records(self._cutter.finish())

    def _records(self, lines: Iterator[Line]) -> Iterator[Record]:
        for line in lines:
            if line.is_record():
                yield Record(self._next, line.text, self._next in self._duplicates)
                self._next += 1


def _shortened(text: bytes) -> bytes:
    return text if len(text) <= MAX_LINE_BYTES else text[: MAX_LINE_BYTES + 1]

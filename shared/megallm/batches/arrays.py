r"""Finds the elements of one JSON array in a stream of its bytes, without reading what is in them.

Whether an element is good JSON is for its reader to say, as of any line. An element becomes one line: its line breaks
become ``\r``, which is white space in JSON like them, and like them may not stand in a string.
"""

import re
from collections.abc import Iterable, Iterator

from megallm.batches.formats import BOM
from megallm.batches.lines import MAX_LINE_BYTES
from megallm.batches.refused import Refused

# Outside of strings: a string without escapes as one, since most are so, or what changes the state.
_OUTSIDE = re.compile(rb'"[^"\\]*+"|["\[\]{},]')
_STRING_END = re.compile(rb'(?:[^"\\]++|\\.)*+"', re.DOTALL)
_STRING_PIECE = re.compile(rb'(?:[^"\\]++|\\.)*+', re.DOTALL)


def elements(pieces: Iterable[bytes]) -> Iterator[bytes]:
    """The elements in order, each in one line without its end. Of one that is too large, just so much that it shows.

    Raises Refused where the array does not end, or anything but white space stands around it.
    """
    scan = _Scan()
    for piece in pieces:
        yield from scan.feed(piece)
    scan.finish()


class _Scan:
    """Where the scan is. ``depth`` is 0 outside of the array and 1 between its elements."""

    def __init__(self) -> None:
        self._depth = 0
        self._ended = False
        self._in_string = False
        self._kept = bytearray()  # of the open element
        self._rest = b""  # a backslash whose letter is yet to come, or the array's beginning
        self._elements = 0

    def feed(self, piece: bytes) -> Iterator[bytes]:
        piece = self._rest + piece
        self._rest = b""
        at = kept = 0
        if not self._depth and not self._ended:
            at = kept = self._begin(piece)
            if not self._depth:
                return
        while at < len(piece):
            if self._in_string:
                at = self._through_string(piece, at)
                continue
            if self._ended:
                if piece[at:].strip():
                    raise Refused("Something stands behind the end of the JSON array")
                return
            match = _OUTSIDE.search(piece, at)
            if match is None:
                break
            at = match.end()
            byte = piece[match.start()]
            if byte == 0x22:
                self._in_string = at - match.start() == 1
            elif byte in b"[{":
                self._depth += 1
            elif byte in b"]}":
                self._depth -= 1
                if not self._depth:
                    self._keep(piece[kept : match.start()])
                    yield from self._element(last=True)
                    self._ended, kept = True, at
            elif self._depth == 1:
                self._keep(piece[kept : match.start()])
                yield from self._element(last=False)
                kept = at
        if not self._ended:
            self._keep(piece[kept : len(piece) - len(self._rest)])

    def finish(self) -> None:
        if not self._ended:
            raise Refused(f"The JSON array breaks off after element {self._elements:,}")

    def _begin(self, piece: bytes) -> int:
        body = piece.removeprefix(BOM).lstrip()
        if not body or BOM.startswith(piece):
            self._rest = piece
            return 0
        if not body.startswith(b"["):
            raise Refused("The file is no JSON array")
        self._depth = 1
        return len(piece) - len(body) + 1

    def _through_string(self, piece: bytes, at: int) -> int:
        if match := _STRING_END.match(piece, at):
            self._in_string = False
            return match.end()
        match = _STRING_PIECE.match(piece, at)
        end = match.end() if match else at
        self._rest = piece[end:]  # nothing, or a backslash
        return len(piece)

    def _keep(self, piece: bytes) -> None:
        if not self._kept:
            piece = piece.lstrip()
        room = MAX_LINE_BYTES + 1 - len(self._kept)
        if room > 0:
            self._kept += piece[:room]

    def _element(self, *, last: bool) -> Iterator[bytes]:
        element = bytes(self._kept).replace(b"\n", b"\r")
        if len(element) <= MAX_LINE_BYTES:
            element = element.rstrip()
        self._kept.clear()
        if not element and last and not self._elements:
            return  # an empty array
        if not element:
            raise Refused(f"The JSON array has a comma without an element after element {self._elements:,}")
        self._elements += 1
        yield element

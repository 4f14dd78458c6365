"""Turns what cannot be cut by bytes into JSON lines: gzip, a JSON array, a text. Streams: memory is bounded."""

from collections.abc import Iterable, Iterator, Mapping

from pydantic_core import to_json

from megallm.batches.arrays import elements
from megallm.batches.formats import BOM, HEAD_BYTES, Format, check_head, format_of, is_gzip
from megallm.batches.gunzip import unpacked
from megallm.batches.indexing import job_line_of
from megallm.batches.lines import MAX_LINE_BYTES, LineCutter
from megallm.batches.refused import Refused


def lines_of(name: str, head: bytes, chunks: Iterable[bytes], *, text_field: str = "text") -> Iterator[bytes] | None:
    """JSON lines in pieces of any size, or None where the input is JSON lines already, to be cut in place.

    *head* has the input's first bytes (4 KiB, or all of them where it has less); *chunks* are the whole input from its
    beginning and are not touched where None is returned. *text_field* is the field that a text becomes. Raises Refused,
    at once or while it is iterated over.
    """
    if is_gzip(name, head):
        return _unpacked_lines(name, unpacked(chunks), text_field)
    check_head(head)
    kind = format_of(name, head)
    return None if kind == "json_lines" else _lines(kind, iter(chunks), text_field)


def job_line_in(name: str, head: bytes) -> Mapping[str, object] | None:
    """The options of the first line ``{"job": {…}}`` of an input that begins with *head*; None where there are none.

    For the time before the input is read as a whole. Give a MiB of head, or all there is: of a gzip, 4 KiB must come
    out of it. Raises Refused as far as *head* tells.
    """
    lines = lines_of(name, head[:HEAD_BYTES], [head])
    cutter = LineCutter()
    try:
        for piece in [head.removeprefix(BOM)] if lines is None else lines:
            for line in cutter.feed(piece):
                if line.is_record():
                    return job_line_of(line.text.removeprefix(BOM))
    except Refused:
        return None  # the head breaks off; whether the input does, the index finds
    return None


def _unpacked_lines(name: str, pieces: Iterator[bytes], text_field: str) -> Iterator[bytes]:
    head = b""
    for piece in pieces:
        head += piece
        if len(head) >= HEAD_BYTES:
            break
    check_head(head)
    yield from _lines(format_of(name, head), _chained(head, pieces), text_field)


def _lines(kind: Format, pieces: Iterator[bytes], text_field: str) -> Iterator[bytes]:
    match kind:
        case "json_array":
            for element in elements(pieces):
                yield element + b"\n"
        case "text":
            yield _text_line(pieces, text_field)
        case "json_lines":
            yield from pieces


def _chained(head: bytes, pieces: Iterator[bytes]) -> Iterator[bytes]:
    yield head
    yield from pieces


def _text_line(pieces: Iterator[bytes], text_field: str) -> bytes:
    whole = bytearray()
    for piece in pieces:
        whole += piece
        if len(whole) > MAX_LINE_BYTES:
            raise Refused(f"The text is larger than {MAX_LINE_BYTES:,} bytes, which is the most for one item")
    try:
        text = whole.removeprefix(BOM).decode()
    except UnicodeDecodeError as error:
        raise Refused(f"The text is not in UTF-8: byte {error.start + 1} is wrong") from None
    if not text.strip():
        raise Refused("There is no text in the file")
    return to_json({text_field: text}) + b"\n"

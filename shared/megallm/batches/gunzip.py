"""Unpacks gzip: all of its members, in bounded memory, and no bombs."""

import zlib
from collections.abc import Iterable, Iterator

from megallm.batches.refused import Refused

PIECE_BYTES = 1024 * 1024
# Zeros pack 1028:1, texts hardly better than 20:1.
FREE_BYTES = 10 * 1000 * 1000
MAX_RATIO = 200

_GZIP_ONLY = 31  # zlib's window bits for gzip's header and checksum


def unpacked(chunks: Iterable[bytes]) -> Iterator[bytes]:
    """The unpacked bytes in pieces of at most a MiB. Raises Refused where it is broken, cut off or a bomb."""
    member = zlib.decompressobj(_GZIP_ONLY)
    begun = False  # whether the member has any bytes yet
    members = taken = given = 0
    for chunk in chunks:
        taken += len(chunk)
        rest = chunk
        while rest:
            if members and not begun:
                rest = rest.lstrip(b"\0")  # some programs fill up with zeros behind a member
                if not rest:
                    break
            piece, begun = _piece(member, rest), True
            rest = member.unused_data if member.eof else member.unconsumed_tail
            given += len(piece)
            if given > FREE_BYTES and given > MAX_RATIO * (taken - len(rest)):
                raise Refused(f"The gzip unpacks to more than {MAX_RATIO} times its size")
            if piece:
                yield piece
            if member.eof:
                member, begun, members = zlib.decompressobj(_GZIP_ONLY), False, members + 1
    if begun:
        raise Refused("The gzip breaks off before its end")


def _piece(member: "zlib._Decompress", packed: bytes) -> bytes:
    try:
        return member.decompress(packed, PIECE_BYTES)
    except zlib.error:
        raise Refused("The gzip is broken") from None

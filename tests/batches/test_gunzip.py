"""Gzip is unpacked whole, in bounded memory, and bombs are stopped (B12)."""

import gzip
import random
import tracemalloc
import zlib
from collections.abc import Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from megallm.batches.gunzip import FREE_BYTES, MAX_RATIO, PIECE_BYTES, unpacked
from megallm.batches.refused import Refused
from tests.batches.indexed import pieces_of


def problem(packed: bytes, sizes: list[int]) -> str:
    """Why it is refused."""
    with pytest.raises(Refused) as raised:
        list(unpacked(pieces_of(packed, sizes)))
    return raised.value.problem


@settings(deadline=None)
@given(
    members=st.lists(st.binary(max_size=50), min_size=1, max_size=4),
    filled=st.binary(max_size=0) | st.just(b"\0" * 7),
    sizes=st.lists(st.integers(0, 30), max_size=20),
)
def test_all_members_are_read_however_the_bytes_arrive(members: list[bytes], filled: bytes, sizes: list[int]) -> None:
    """B12: a decompressor stops after the first one by itself. Zeros behind a member fill up a tape's block."""
    packed = b"".join([gzip.compress(member, mtime=0) + filled for member in members])

    assert b"".join(unpacked(pieces_of(packed, sizes))) == b"".join(members)


def test_a_gzip_that_is_cut_off_anywhere_is_refused() -> None:
    """Half of a file is not taken for the whole: between two members alone it cannot be told."""
    packed = gzip.compress(b"first" * 10, mtime=0) + gzip.compress(b"second" * 10, mtime=0)

    for end in set(range(1, len(packed))) - {len(gzip.compress(b"first" * 10, mtime=0))}:
        assert problem(packed[:end], [5]) == "The gzip breaks off before its end"


@pytest.mark.parametrize("behind", [b"x", b"\0\0PK", b"\x1f\x8b\x08broken"])
def test_rubbish_behind_a_member_is_refused(behind: bytes) -> None:
    """It may have been data."""
    assert problem(gzip.compress(b"a", mtime=0) + behind, []) in {
        "The gzip is broken",
        "The gzip breaks off before its end",
    }


def test_a_broken_gzip_is_refused() -> None:
    """A wrong byte inside is found by the checksum at the latest."""
    packed = bytearray(gzip.compress(random.Random(1).randbytes(1000), mtime=0))
    packed[500] ^= 0xFF

    assert problem(bytes(packed), []) == "The gzip is broken"


def zeros(mebibytes: int) -> bytes:
    """So many packed zeros."""
    packer = zlib.compressobj(9, wbits=31)
    return b"".join([*(packer.compress(bytes(1024 * 1024)) for _ in range(mebibytes)), packer.flush()])


@pytest.mark.parametrize("piece", [1000, 1 << 20])
def test_a_bomb_is_stopped_at_the_limit_in_bounded_memory(piece: int) -> None:
    """B12: 200 MB of zeros are 200 KB packed. Not more than the free bytes are ever unpacked, a piece at a time."""
    bomb = zeros(200)
    given = most = 0

    def chunks() -> Iterator[bytes]:
        yield from (bomb[at : at + piece] for at in range(0, len(bomb), piece))

    tracemalloc.start()
    try:
        with pytest.raises(Refused) as raised:  # noqa: PT012  # the counting belongs to it
            for unpacked_piece in unpacked(chunks()):
                given += len(unpacked_piece)
                most = max(most, len(unpacked_piece))
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()

    assert raised.value.problem == f"The gzip unpacks to more than {MAX_RATIO} times its size"
    assert given <= FREE_BYTES
    assert most <= PIECE_BYTES
    assert peak < 5 * PIECE_BYTES


def test_zeros_up_to_the_limit_are_fine() -> None:
    """A small file may pack as well as it likes."""
    assert sum(map(len, unpacked([zeros(9)]))) == 9 * 1024 * 1024

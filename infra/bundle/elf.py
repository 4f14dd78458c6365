"""Takes out of shared libraries what only debuggers and linkers read: some wheels come with five times their code.

A loader goes by the program headers. What lies behind the last segment that they name is sections for other tools.
https://refspecs.linuxfoundation.org/elf/gabi4+/ch4.eheader.html
"""

import struct
from pathlib import Path
from typing import Literal

Architecture = Literal["arm64", "x86_64"]

_MAGIC = b"\x7fELF\x02\x01"  # 64 bits, little-endian: both of Lambda's processors
# https://refspecs.linuxfoundation.org/elf/gabi4+/ch4.eheader.html#elfid, and the registry of machines behind it
_MACHINES: dict[Architecture, int] = {"arm64": 183, "x86_64": 62}
_HEADER_BYTES = 64
_MACHINE_AT = 18
_PROGRAM_HEADERS_AT = 32
_SECTION_HEADERS_AT = 40
_PROGRAM_COUNTS_AT = 54
_SECTION_COUNTS_AT = 58


class NotElf(Exception):
    """The bytes are no library for this processor of Lambda's."""


def strip(library: bytes, architecture: Architecture) -> bytes:
    """The same library, without what stands behind its segments. Raises NotElf, also for another processor's."""
    if not library.startswith(_MAGIC) or len(library) < _HEADER_BYTES:
        raise NotElf
    if struct.unpack_from("<H", library, _MACHINE_AT) != (_MACHINES[architecture],):
        raise NotElf
    (headers_at,) = struct.unpack_from("<Q", library, _PROGRAM_HEADERS_AT)
    size, count = struct.unpack_from("<HH", library, _PROGRAM_COUNTS_AT)
    end = headers_at + size * count
    for number in range(count):
        _, _, offset, _, _, in_file = struct.unpack_from("<IIQQQQ", library, headers_at + number * size)
        end = max(end, offset + in_file)
    stripped = bytearray(library[:end])
    struct.pack_into("<Q", stripped, _SECTION_HEADERS_AT, 0)
    struct.pack_into("<HHH", stripped, _SECTION_COUNTS_AT, 0, 0, 0)
    return bytes(stripped)


def strip_all(folder: Path, architecture: Architecture) -> None:
    """Every library below *folder*. Raises NotElf, with its path."""
    for path in folder.rglob("*.so*"):
        try:
            path.write_bytes(strip(path.read_bytes(), architecture))
        except NotElf:
            raise NotElf(f"{path.relative_to(folder)} is no library for {architecture}") from None

"""Takes out of shared libraries what only debuggers and linkers read: some wheels come with five times their code.

A loader goes by the program headers. What lies behind the last segment that they name is sections for other tools.
https://refspecs.linuxfoundation.org/elf/gabi4+/ch4.eheader.html
"""

import struct
from pathlib import Path

_MAGIC = b"\x7fELF\x02\x01"  # 64 bits, little-endian: both of Lambda's processors
_HEADER_BYTES = 64
_PROGRAM_HEADERS_AT = 32
_SECTION_HEADERS_AT = 40
_PROGRAM_COUNTS_AT = 54
_SECTION_COUNTS_AT = 58


class NotElf(Exception):
    """The bytes are no library for Lambda's processors."""


def strip(library: bytes) -> bytes:
    """The same library, without what stands behind its segments. Raises NotElf."""
    if not library.startswith(_MAGIC) or len(library) < _HEADER_BYTES:
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


def strip_all(folder: Path) -> None:
    """Every library below *folder*. Raises NotElf."""
    for path in folder.rglob("*.so*"):
        path.write_bytes(strip(path.read_bytes()))

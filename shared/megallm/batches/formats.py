"""Which files are taken, by their names and their first bytes, and why others are refused."""

import re
from typing import Literal

from megallm.batches.model import TaskName
from megallm.batches.refused import Refused
from megallm.errors import clip

Format = Literal["json_lines", "json_array", "text"]

HEAD_BYTES = 4096  # what is looked at
BOM = b"\xef\xbb\xbf"
GZIP = b"\x1f\x8b"

_TEXT = frozenset({"txt", "text"})
_JSON_LINES = frozenset({"jsonl", "ndjson"})
_EXTENSION = re.compile(r"\.([A-Za-z][A-Za-z0-9]{0,9})$", re.ASCII)
_TAKEN = ".jsonl, .ndjson, .json and .txt files are, each also with .gz"

_UTF16 = (b"\xff\xfe", b"\xfe\xff")
_SIGNATURES = {
    b"PK\x03\x04": "a zip archive or an office document",
    b"%PDF": "a PDF",
    b"BZh": "packed with bzip2",
    b"\xfd7zXZ": "packed with xz",
    b"(\xb5/\xfd": "packed with zstd",
    b"\x89PNG": "an image",
    b"\xff\xd8\xff": "an image",
    b"PAR1": "a Parquet file",
    GZIP: "packed with gzip more than once",
}


def _extension(name: str) -> str:
    plain = re.sub(r"\.gz$", "", name, flags=re.IGNORECASE)
    match = _EXTENSION.search(plain)
    return match[1].lower() if match else ""


def check_name(name: str, task: TaskName) -> None:
    """Raises Refused for a file whose name says that it is none of ours. One without an extension may be JSON lines."""
    extension = _extension(name)
    if extension and extension not in _TEXT | _JSON_LINES | {"json"}:
        raise Refused(f"{clip(name)!r}: .{extension} files are not taken; {_TAKEN}")
    if extension in _TEXT and task == "messages":
        raise Refused(f"{clip(name)!r}: messages are JSON; a text can be summarised or translated")


def format_of(name: str, head: bytes) -> Format:
    """The format of unpacked bytes that begin with *head*."""
    extension = _extension(name)
    if extension in _TEXT:
        return "text"
    if extension not in _JSON_LINES and head.removeprefix(BOM).lstrip().startswith(b"["):
        return "json_array"
    return "json_lines"


def is_gzip(name: str, head: bytes) -> bool:
    """Whether it is packed. Raises Refused where the name says so and the bytes do not."""
    packed = head.startswith(GZIP)
    if head and not packed and name.lower().endswith(".gz"):
        raise Refused(f"{clip(name)!r} is named like a gzip and is none")
    return packed


def check_head(head: bytes) -> None:
    """Raises Refused for first bytes that no text in UTF-8 has."""
    if head.startswith(_UTF16) or _looks_like_utf16(head):
        raise Refused("The file is in UTF-16; it must be in UTF-8")
    for signature, what in _SIGNATURES.items():
        if head.startswith(signature):
            raise Refused(f"The file is {what}; {_TAKEN}")
    if b"\0" in head[:HEAD_BYTES]:
        raise Refused(f"The file is binary; {_TAKEN}")


def _looks_like_utf16(head: bytes) -> bool:
    """Whether every other one of the first bytes is zero, as in UTF-16 without a mark at its beginning."""
    first = head[:64]
    return len(first) >= 4 and any(first[0::2]) != any(first[1::2])

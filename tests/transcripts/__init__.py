"""What upstreams send, byte for byte, and where we have it from.

A transcript begins with lines that start with ``# ``: the first is ``captured`` (sent by software that was run here)
or ``reconstructed`` (made after the source that the next lines name). A line ``---`` ends them; behind it stand the
bytes of the body and nothing else.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args

Origin = Literal["captured", "reconstructed"]

FOLDER = Path(__file__).parent
_END = b"---\n"
_MARK = "# "


@dataclass(frozen=True, slots=True)
class Transcript:
    """The body of one response. ``source`` tells which software sent it, or after what it was made."""

    origin: Origin
    source: str
    body: bytes


def load(path: Path | str) -> Transcript:
    """The transcript in a file, named as seen from this folder.

    Raises ValueError where its header is missing or says too little.
    """
    return parse((FOLDER / path).read_bytes(), str(path))


def parse(content: bytes, path: str) -> Transcript:
    """The same of a file's content."""
    header, found, body = content.partition(b"\n" + _END)
    lines = header.decode().split("\n")
    if not found or not all(line.startswith(_MARK) for line in lines):
        raise ValueError(f"{path}: the header is missing")
    first, *rest = [line.removeprefix(_MARK) for line in lines]
    origin = next((known for known in get_args(Origin) if known == first), None)
    if origin is None or not "".join(rest).strip():
        raise ValueError(f"{path}: the header does not say where the transcript is from")
    return Transcript(origin, " ".join(rest), body)


def names(folder: str, suffix: str) -> list[str]:
    """The transcripts of a folder below this one, as ``load`` takes them."""
    return sorted(f"{folder}/{path.name}" for path in (FOLDER / folder).iterdir() if path.name.endswith(suffix))

"""Reads the few facts of a GGUF file's header that must be known before loading it.

Format: https://github.com/ggml-org/ggml/blob/master/docs/gguf.md. Owns no tensors and no tokenizer.
"""

import mmap
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from megallm.providers.embedded.errors import EmbeddedUnavailable

_SCALARS: Mapping[int, str] = {
    0: "<B", 1: "<b", 2: "<H", 3: "<h", 4: "<I", 5: "<i", 6: "<f", 7: "<?", 10: "<Q", 11: "<q", 12: "<d",
}  # fmt: skip
_STRING, _ARRAY = 8, 9
_DEEPEST = 16  # arrays in arrays; real files have none
_USER_DEFINED = 4  # llama.cpp's tokenizer matches these in any text, unlike control tokens


@dataclass(frozen=True, slots=True)
class Header:
    """What a header tells.

    ``context_tokens`` is what the model was trained for; ``markers`` are its tokens that look like markup
    and that the tokenizer would recognise in a user's text (``<tool_call>``).
    """

    name: str
    context_tokens: int
    markers: tuple[str, ...]


def read_header(path: Path) -> Header:
    """Raises EmbeddedUnavailable where the file is missing, or no GGUF of a text model."""
    try:
        with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
            facts = _Reader(data).facts()
    except OSError as error:
        raise EmbeddedUnavailable(f"Cannot read the model {path}: {error.strerror or error}") from error
    except (struct.error, ValueError, KeyError, IndexError, OverflowError) as error:
        raise EmbeddedUnavailable(f"{path} is not a whole GGUF file: fetch it again") from error
    architecture = facts.get("general.architecture")
    context = facts.get(f"{architecture}.context_length")
    if not isinstance(context, int) or "tokenizer.ggml.tokens" not in facts:
        raise EmbeddedUnavailable(f"{path} is a GGUF file, but not one of a text model")
    name = facts.get("general.name")
    return Header(name if isinstance(name, str) and name else path.stem, context, _markers(facts))


def _markers(facts: Mapping[str, object]) -> tuple[str, ...]:
    tokens, kinds = facts["tokenizer.ggml.tokens"], facts.get("tokenizer.ggml.token_type")
    if not isinstance(tokens, list) or not isinstance(kinds, list):
        return ()
    defined = (token for token, kind in zip(tokens, kinds, strict=False) if kind == _USER_DEFINED)
    return tuple(
        token for token in defined if isinstance(token, str) and len(token) > 2 and token[0] + token[-1] in ("<>", "[]")
    )


class _Reader:
    """Walks the header's key-value pairs."""

    def __init__(self, data: mmap.mmap) -> None:
        self._data = data
        self._at = 0

    def facts(self) -> dict[str, object]:
        if self._data[:4] != b"GGUF":
            raise ValueError("no GGUF magic")
        self._at = 4
        version, _, count = self._scalar("<I"), self._scalar("<Q"), self._scalar("<Q")
        if version not in (2, 3):
            raise ValueError("unknown version")
        facts: dict[str, object] = {}
        for _ in range(int(count)):
            key = self._string()
            facts[key] = self._value(int(self._scalar("<I")))
        return facts

    def _scalar(self, layout: str) -> int | float:
        (value,) = struct.unpack_from(layout, self._data, self._at)
        self._at += struct.calcsize(layout)
        return value  # type: ignore[no-any-return]  # struct is untyped; the layouts hold numbers only

    def _string(self) -> str:
        size = int(self._scalar("<Q"))
        if self._at + size > len(self._data):
            raise ValueError("cut off")
        text = self._data[self._at : self._at + size].decode("utf-8", errors="replace")
        self._at += size
        return text

    def _value(self, kind: int, depth: int = 0) -> object:
        if kind == _STRING:
            return self._string()
        if kind != _ARRAY:
            return self._scalar(_SCALARS[kind])
        if depth == _DEEPEST:
            raise ValueError("nested too deeply")
        item, count = int(self._scalar("<I")), int(self._scalar("<Q"))
        if item in _SCALARS:
            layout = f"<{count}{_SCALARS[item][1]}"
            values = list(struct.unpack_from(layout, self._data, self._at))
            self._at += struct.calcsize(layout)
            return values
        return [self._value(item, depth + 1) for _ in range(count)]

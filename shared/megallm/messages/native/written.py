"""How much text a reply holds, for the estimate of its tokens where the upstream tells none.

The same for a whole reply and for its stream, however that is cut: what the model wrote, in bytes of UTF-8.
"""

from collections.abc import Iterable, Mapping

from pydantic_core import from_json, to_json

from megallm.messages.events import JsonObject

_BYTES_PER_TOKEN = 4  # about what English text has


def tokens_of(content: Iterable[JsonObject]) -> int:
    """An estimate of the tokens of whole content blocks: their text, their thinking, the input of their calls."""
    return _tokens(sum(_text_bytes(block) + _input_bytes(block.get("input")) for block in content))


class Written:
    """The same of blocks that come in pieces."""

    def __init__(self) -> None:
        self._bytes = 0
        self._input: object = None  # of the last block, as it began
        self._pieces: list[str] = []  # of its input's JSON text

    @property
    def tokens(self) -> int:
        """The estimate so far."""
        return _tokens(self._bytes + self._open_bytes())

    def begin(self, block: JsonObject) -> None:
        """A block begins; nothing more comes of the one before."""
        self._bytes += self._open_bytes() + _text_bytes(block)
        self._input, self._pieces = block.get("input"), []

    def add(self, payload: bytes) -> None:
        """The payload of a content_block_delta; one that cannot be read says nothing."""
        try:
            delta = from_json(payload)["delta"]
            self._bytes += _text_bytes(delta)
            self._pieces.append(str(delta.get("partial_json", "")))
        except (ValueError, LookupError, TypeError, AttributeError):
            return

    def _open_bytes(self) -> int:
        text = "".join(self._pieces)
        if not text.strip():
            return _input_bytes(self._input)
        try:
            # Parsed, because a whole reply does not tell the white space between the parts.
            return _input_bytes(from_json(text, allow_partial="trailing-strings"))
        except ValueError:
            return len(text.encode())


def _text_bytes(block: Mapping[str, object]) -> int:
    texts = (block.get("text"), block.get("thinking"))
    return sum(len(text.encode()) for text in texts if isinstance(text, str))


def _input_bytes(value: object) -> int:
    return len(to_json(value)) if value else 0


def _tokens(text_bytes: int) -> int:
    return -(-text_bytes // _BYTES_PER_TOKEN)

"""What an input costs in tokens where no upstream tells: texts by a real tokenizer, images and files by their size.

An image: width times height over 750, and 1,600 at most, since larger ones are scaled down
(https://platform.claude.com/docs/en/build-with-claude/vision#image-costs). A page of a PDF is 1,500 to 3,000 tokens
(https://platform.claude.com/docs/en/build-with-claude/pdf-support#estimate-your-costs), reckoned at 80 KB a page.
"""

import binascii
from base64 import b64decode
from collections.abc import Callable, Iterator
from math import ceil

from pydantic_core import to_json

from megallm.messages.requests import MessagesRequest, TokenCountRequest
from megallm.providers.image_size import size_of

MOST_IMAGE_TOKENS = 1600
_PIXELS_A_TOKEN = 750
_LETTERS_A_FILE_TOKEN = 54  # 40 bytes in base64
_FRAME_TOKENS = 4  # what a turn, a block or a tool costs beside its text

# The size stands in the first bytes; in a JPEG behind what camera and editor wrote, which is rarely more than this.
_HEAD_LETTERS = 512 * 1024

_INPUT = frozenset({"messages", "system", "tools"})
# What the model never reads, or what stands for the frames.
_NOT_READ = frozenset(
    {"cache_control", "citations", "id", "is_error", "media_type", "role", "signature", "tool_use_id", "type"}
)
_JSON = ("input", "input_schema")  # read as JSON, names and all


def request_tokens(request: TokenCountRequest, count_text: Callable[[str], int]) -> int:
    """The input tokens of a request. May take a while where there is much text: a server runs it in a thread."""
    payload = request.model_dump(include=set(_INPUT), exclude_none=True, by_alias=True)
    texts: list[str] = []
    tokens = 0
    for part in _parts(payload):
        if isinstance(part, str):
            texts.append(part)
        else:
            tokens += part
    return max(1, tokens + count_text("\n".join(texts)))


def body_bytes(request: MessagesRequest, body: bytes) -> int:
    """The size of a request's body but for ``stream``, as the SDKs write it: a streamed one costs no more (C31)."""
    if "stream" not in request.model_fields_set:
        return len(body)
    return max(0, len(body) - len(',"stream":true' if request.stream else ',"stream":false'))


def image_tokens(base64: str) -> int:
    """The tokens of an image; of one whose size cannot be read, the most that there can be."""
    size = size_of(_head(base64))
    if size is None:
        return MOST_IMAGE_TOKENS
    width, height = size
    return min(MOST_IMAGE_TOKENS, ceil(width * height / _PIXELS_A_TOKEN))


def file_tokens(base64: str) -> int:
    """The tokens of a PDF."""
    return ceil(len(base64) / _LETTERS_A_FILE_TOKEN)


def _parts(value: object) -> Iterator[str | int]:
    """Every text that the model reads, and the tokens of what is no text."""
    match value:
        case {"type": "base64", "data": str(data), "media_type": str(kind)}:
            yield image_tokens(data) if kind.startswith("image/") else file_tokens(data)
        case {"type": "image", "source": {"type": "url" | "file"}}:
            yield MOST_IMAGE_TOKENS
        case dict():
            yield _FRAME_TOKENS
            for name, part in value.items():
                if name in _JSON:
                    yield to_json(part).decode()
                elif name not in _NOT_READ:
                    yield from _parts(part)
        case list():
            for part in value:
                yield from _parts(part)
        case str():
            yield value
        case _:
            pass


def _head(base64: str) -> bytes:
    data = base64[:_HEAD_LETTERS]
    try:
        return b64decode(data[: len(data) // 4 * 4])
    except (binascii.Error, ValueError):
        return b""

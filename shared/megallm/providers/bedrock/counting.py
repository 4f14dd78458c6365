"""The input tokens of a request: what CountTokens is asked, and an estimate for models that it does not know.

Source: https://docs.aws.amazon.com/bedrock/latest/userguide/count-tokens.html
"""

from base64 import b64decode, b64encode
from collections.abc import Callable, Iterator, Mapping

from pydantic_core import from_json, to_json

from megallm.errors import UpstreamFailed
from megallm.messages.requests import TokenCountRequest
from megallm.providers.image_size import size_of

# Anthropic's own rule of thumb. Source: https://platform.claude.com/docs/en/build-with-claude/vision
_PIXELS_A_TOKEN = 750
UNKNOWN_IMAGE_TOKENS = 1600
_PDF_BYTES_A_TOKEN = 40  # a page has some 2,000 tokens and some 80 KB
_FRAME_TOKENS = 4  # what a turn, a block or a tool costs beside its text

_INPUT = ("messages", "system", "tools")
# What the model never reads, or what stands for the frames.
_NOT_READ = frozenset(
    {"cache_control", "citations", "id", "is_error", "media_type", "role", "signature", "tool_use_id", "type"}
)


def invoke_question(body: bytes) -> bytes:
    """Asks for the tokens of a body for InvokeModel."""
    return to_json({"input": {"invokeModel": {"body": b64encode(body).decode()}}})


def converse_question(prompt: Mapping[str, object]) -> bytes:
    """Asks for the tokens of the input of a Converse request."""
    return to_json({"input": {"converse": prompt}})


def answer(body: bytes) -> int:
    """The number in CountTokens' answer. Raises UpstreamFailed for anything else."""
    try:
        payload = from_json(body)
    except ValueError as error:
        raise UpstreamFailed("The upstream's count of tokens is not valid JSON") from error
    tokens = payload.get("inputTokens") if isinstance(payload, dict) else None
    if not isinstance(tokens, int):
        raise UpstreamFailed("The upstream's count of tokens is no number")
    return tokens


def estimate(request: TokenCountRequest, count_text: Callable[[str], int]) -> int:
    """What the input comes to: the tokens of its texts, width x height / 750 for an image, and the frames.

    May take a while where there is much text: a server runs it in a thread.
    """
    payload = request.model_dump(include=set(_INPUT), exclude_none=True, by_alias=True)
    texts: list[str] = []
    tokens = 0
    for part in _parts(payload):
        if isinstance(part, str):
            texts.append(part)
        else:
            tokens += part
    return max(1, tokens + count_text("\n".join(texts)))


def _parts(value: object) -> Iterator[str | int]:
    """Every text that the model reads, and the tokens of what is no text."""
    match value:
        case {"type": "base64", "data": str(data), "media_type": str(kind)}:
            yield _binary_tokens(data, kind)
        case dict():
            yield _FRAME_TOKENS
            for name, part in value.items():
                if name in ("input", "input_schema"):  # read as JSON, names and all
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


def _binary_tokens(data: str, kind: str) -> int:
    if not kind.startswith("image/"):
        return len(data) * 3 // 4 // _PDF_BYTES_A_TOKEN
    try:
        size = size_of(b64decode(data))
    except ValueError:
        size = None
    return UNKNOWN_IMAGE_TOKENS if size is None else size[0] * size[1] // _PIXELS_A_TOKEN

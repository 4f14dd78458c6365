"""What a request reserves of its key's tokens before anything is known of them: a guess that costs microseconds.

A quarter of the body's bytes. Images and files are counted apart, since in base64 their letters are no text: by the
figures of providers/estimates.py, but without a look into them. Settling puts it right.
"""

from collections.abc import Iterable, Iterator

from megallm.messages.base64_files import base64_files
from megallm.messages.blocks import (
    Base64Source,
    ContentSource,
    DocumentBlock,
    FileSource,
    ImageBlock,
    OpaqueBlock,
    TextBlock,
    ThinkingBlock,
    ToolResultBlock,
    ToolUseBlock,
    UrlSource,
)
from megallm.messages.requests import TokenCountRequest

IMAGE_TOKENS = 1600
LETTERS_A_FILE_TOKEN = 54
_BYTES_A_TOKEN = 4
_TEXTS = frozenset({TextBlock, ToolUseBlock, ThinkingBlock})  # most blocks: passed over without a closer look

_Found = tuple[int, int]  # letters that are no text, and the tokens that they are instead


def reserved_tokens(request: TokenCountRequest, body: bytes) -> int:
    """At least one. *body* is the JSON that *request* was read from."""
    letters = tokens = 0
    for message in request.messages:
        content = message.content
        if not isinstance(content, str):
            for found, instead in _in_blocks(block for block in content if type(block) not in _TEXTS):
                letters += found
                tokens += instead
    return max(1, (len(body) - letters) // _BYTES_A_TOKEN + tokens)


def _in_blocks(blocks: Iterable[object]) -> Iterator[_Found]:
    for block in blocks:
        match block:
            case ImageBlock(source=Base64Source() as source) | DocumentBlock(source=Base64Source() as source):
                yield _in_base64(source.media_type, source.data)
            case ImageBlock(source=UrlSource() | FileSource()):
                yield 0, IMAGE_TOKENS
            case (
                DocumentBlock(source=ContentSource(content=list() as content))
                | ToolResultBlock(content=list() as content)
            ):
                yield from _in_blocks(content)
            case OpaqueBlock(model_extra=dict() as fields):
                for media_type, data in base64_files(fields):  # in what a server tool fetched, say
                    yield _in_base64(media_type, data)
            case _:
                pass


def _in_base64(media_type: str, data: str) -> _Found:
    if media_type.startswith("image/"):
        return len(data), min(IMAGE_TOKENS, -(-len(data) // _BYTES_A_TOKEN))  # a small one is no more than its letters
    return len(data), -(-len(data) // LETTERS_A_FILE_TOKEN)

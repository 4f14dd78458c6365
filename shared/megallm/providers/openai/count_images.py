"""What images and files cost in tokens where no upstream tells, by what Anthropic's documentation says of them.

An image: width times height over 750, and 1,600 at most, since larger ones are scaled down
(https://platform.claude.com/docs/en/build-with-claude/vision#image-costs). A page of a PDF is 1,500 to 3,000 tokens
(https://platform.claude.com/docs/en/build-with-claude/pdf-support#estimate-your-costs), reckoned at 80 KB a page.
"""

import binascii
from base64 import b64decode
from math import ceil

from megallm.providers.image_size import size_of

MOST_IMAGE_TOKENS = 1600
_PIXELS_A_TOKEN = 750
_LETTERS_A_FILE_TOKEN = 54  # 40 bytes in base64

# The size stands in the first bytes; in a JPEG behind what camera and editor wrote, which is rarely more than this.
_HEAD_LETTERS = 512 * 1024


def image_tokens(url: str) -> int:
    """The tokens of an image in a data URL; of any other, or one whose size cannot be read, the most there can be."""
    size = size_of(_head(url)) if url.startswith("data:") else None
    if size is None:
        return MOST_IMAGE_TOKENS
    width, height = size
    return min(MOST_IMAGE_TOKENS, ceil(width * height / _PIXELS_A_TOKEN))


def file_tokens(url: str) -> int:
    """The tokens of a PDF in a data URL."""
    return ceil(len(url) / _LETTERS_A_FILE_TOKEN)


def _head(url: str) -> bytes:
    data = url.partition(",")[2][:_HEAD_LETTERS]
    try:
        return b64decode(data[: len(data) // 4 * 4])
    except (binascii.Error, ValueError):
        return b""

"""What images and files cost in tokens, by the URLs in which chat completions carry them."""

from megallm.providers import estimates


def image_tokens(url: str) -> int:
    """The tokens of an image in a data URL; of any other the most that there can be."""
    return estimates.image_tokens(url.partition(",")[2]) if url.startswith("data:") else estimates.MOST_IMAGE_TOKENS


def file_tokens(url: str) -> int:
    """The tokens of a PDF in a data URL."""
    return estimates.file_tokens(url.partition(",")[2])

"""Images by URL for servers that take only bytes: which of them a request has, fetched before it is translated."""

from base64 import b64encode
from collections.abc import Iterator, Mapping, Sequence

from megallm.messages.blocks import ContentSource, DocumentBlock, ImageBlock, ToolResultBlock, UrlSource
from megallm.messages.compatibility import Takes
from megallm.messages.requests import Message
from megallm.providers.images import ImageSource, fetch_all


async def fetch_images(messages: Sequence[Message], takes: Takes, images: ImageSource | None) -> Mapping[str, str]:
    """The images that this route wants as bytes, as data URLs by their URL; each is fetched once.

    Raises InvalidRequest with the path of the block whose image is not to be had, or is one too many.
    """
    if images is None or takes.blocks.find("image.url").action != "rewrite":
        return {}
    paths: dict[str, str] = {}
    for path, url in _urls(messages):
        paths.setdefault(url, path)
    fetched = await fetch_all(paths, images)
    return {url: f"data:{kind};base64,{b64encode(data).decode()}" for url, (kind, data) in fetched.items()}


def _urls(messages: Sequence[Message]) -> Iterator[tuple[str, str]]:
    for index, message in enumerate(messages):
        if not isinstance(message.content, str):
            yield from _urls_in(message.content, f"messages.{index}.content")


def _urls_in(blocks: Sequence[object], path: str) -> Iterator[tuple[str, str]]:
    for position, block in enumerate(blocks):
        match block:
            case ImageBlock(source=UrlSource(url=url)):
                yield f"{path}.{position}", url
            case ToolResultBlock(content=list() as inner):
                yield from _urls_in(inner, f"{path}.{position}.content")
            case DocumentBlock(source=ContentSource(content=list() as inner)):
                yield from _urls_in(inner, f"{path}.{position}.source.content")
            case _:
                pass

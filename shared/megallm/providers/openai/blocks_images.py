"""Images by URL for servers that take only bytes: which of them a request has, fetched before it is translated."""

import asyncio
from base64 import b64encode
from collections.abc import Iterator, Mapping, Sequence

from megallm.errors import InvalidRequest
from megallm.messages.blocks import ContentSource, DocumentBlock, ImageBlock, ToolResultBlock, UrlSource
from megallm.messages.compatibility import Takes
from megallm.messages.requests import Message
from megallm.providers.images import ImageSource

_AT_ONCE = 4


async def fetch_images(messages: Sequence[Message], takes: Takes, images: ImageSource | None) -> Mapping[str, str]:
    """The images that this route wants as bytes, as data URLs by their URL; each is fetched once.

    Raises InvalidRequest with the path of the block whose image is not to be had.
    """
    if images is None or takes.blocks.find("image.url").action != "rewrite":
        return {}
    paths: dict[str, str] = {}
    for path, url in _urls(messages):
        paths.setdefault(url, path)
    if not paths:
        return {}
    slots = asyncio.Semaphore(_AT_ONCE)

    async def fetched(url: str, path: str) -> tuple[str, str]:
        async with slots:
            try:
                media_type, data = await images.fetch(url)
            except InvalidRequest as error:
                raise InvalidRequest(f"{path}: {error.message}", param=path) from error
            return url, f"data:{media_type};base64,{b64encode(data).decode()}"

    tasks = [asyncio.ensure_future(fetched(url, path)) for url, path in paths.items()]
    try:
        return dict(await asyncio.gather(*tasks))
    finally:  # the first that fails, or whoever cancels, ends them all
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


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

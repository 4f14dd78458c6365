"""Images by URL for upstreams that take only bytes: the seam to whoever fetches them, and the limits of a request."""

import asyncio
from collections.abc import Iterator, Mapping
from typing import Protocol

from megallm.errors import InvalidRequest

MAX_IMAGES = 20
MAX_TOTAL_BYTES = 32 * 1024 * 1024
_AT_ONCE = 4

Image = tuple[str, bytes]  # its media type and its bytes


class ImageSource(Protocol):
    """Fetches images for callers, from the public web alone."""

    async def fetch(self, url: str) -> tuple[str, bytes]:
        """The media type and the bytes. Raises InvalidRequest for what is not to be had or not to be fetched."""


async def fetch_all(paths: Mapping[str, str], images: ImageSource) -> dict[str, Image]:
    """The images of one request by their URL; *paths* has the place of a block for each URL.

    Raises InvalidRequest with the path of the block: before anything is fetched where there are too many of them, else
    for the first that is not to be had, or with which all of them are too large.
    """
    for path in list(paths.values())[MAX_IMAGES:]:
        raise _refusal(path, f"more than {MAX_IMAGES} images by URL in one request; send their bytes")
    left = iter(paths.items())
    fetched: dict[str, Image] = {}
    workers = [asyncio.ensure_future(_work(left, fetched, images)) for _ in range(min(_AT_ONCE, len(paths)))]
    try:
        await asyncio.gather(*workers)
    finally:  # the first that fails, or whoever cancels, ends them all
        for worker in workers:
            worker.cancel()
        await asyncio.gather(*workers, return_exceptions=True)
    return fetched


async def _work(left: Iterator[tuple[str, str]], fetched: dict[str, Image], images: ImageSource) -> None:
    for url, path in left:
        try:
            fetched[url] = await images.fetch(url)
        except InvalidRequest as error:
            raise _refusal(path, error.message) from error
        if sum(len(data) for _, data in fetched.values()) > MAX_TOTAL_BYTES:
            raise _refusal(path, f"the images by URL have more than {MAX_TOTAL_BYTES:,} bytes together")


def _refusal(path: str, reason: str) -> InvalidRequest:
    return InvalidRequest(f"{path}: {reason}", param=path)

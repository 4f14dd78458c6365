"""The seam through which a provider gets images by URL, for upstreams that take only bytes."""

from typing import Protocol


class ImageSource(Protocol):
    """Fetches images for callers, from the public web alone."""

    async def fetch(self, url: str) -> tuple[str, bytes]:
        """The media type and the bytes. Raises InvalidRequest for what is not to be had or not to be fetched."""

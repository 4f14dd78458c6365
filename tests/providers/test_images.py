"""The images by URL of one request: how many, how large together, how many at once."""

import asyncio

import pytest

from megallm.errors import InvalidRequest
from megallm.providers.images import MAX_IMAGES, MAX_TOTAL_BYTES, fetch_all


class Gallery:
    """An ``ImageSource`` whose pictures have this size. ``most`` were asked for at the same time."""

    def __init__(self, size: int = 2) -> None:
        self.asked: list[str] = []
        self.most = self._running = 0
        self._image = b"x" * size

    async def fetch(self, url: str) -> tuple[str, bytes]:
        self.asked.append(url)
        self._running += 1
        self.most = max(self.most, self._running)
        await asyncio.sleep(0)
        self._running -= 1
        if url == "missing":
            raise InvalidRequest("there is no such image")
        return "image/png", self._image


def places(count: int) -> dict[str, str]:
    """So many URLs and the paths of their blocks."""
    return {f"url-{number}": f"messages.{number}" for number in range(count)}


def fetched(paths: dict[str, str], gallery: Gallery) -> dict[str, tuple[str, bytes]]:
    return asyncio.run(fetch_all(paths, gallery))


def refusal(paths: dict[str, str], gallery: Gallery) -> tuple[str, str | None]:
    with pytest.raises(InvalidRequest) as caught:
        fetched(paths, gallery)
    return caught.value.message, caught.value.param


def test_as_many_images_as_are_allowed_come_a_few_at_a_time() -> None:
    """Each is asked for once."""
    gallery = Gallery()

    images = fetched(places(MAX_IMAGES), gallery)

    assert images == dict.fromkeys(places(MAX_IMAGES), ("image/png", b"xx"))
    assert (sorted(gallery.asked), gallery.most) == (sorted(places(MAX_IMAGES)), 4)


def test_no_images_are_no_work() -> None:
    """Most requests have none."""
    assert fetched({}, Gallery()) == {}


def test_an_image_too_many_is_named_before_any_is_fetched() -> None:
    """One request must not make the gateway ask the world for thousands."""
    gallery = Gallery()

    assert refusal(places(MAX_IMAGES + 2), gallery) == (
        "messages.20: more than 20 images by URL in one request; send their bytes",
        "messages.20",
    )
    assert gallery.asked == []


def test_the_image_that_makes_them_too_large_together_is_named() -> None:
    """The ones after it are left alone."""
    gallery = Gallery(MAX_TOTAL_BYTES // 8)

    assert fetched(places(8), gallery).keys() == places(8).keys()
    gallery.asked.clear()
    assert refusal(places(MAX_IMAGES), gallery) == (
        "messages.8: the images by URL have more than 33,554,432 bytes together",
        "messages.8",
    )
    assert len(gallery.asked) < MAX_IMAGES


def test_an_image_that_is_not_to_be_had_ends_the_others() -> None:
    """It is named by the place of its block."""
    gallery = Gallery()

    assert refusal({"missing": "messages.7", **places(12)}, gallery) == (
        "messages.7: there is no such image",
        "messages.7",
    )
    assert len(gallery.asked) < 12

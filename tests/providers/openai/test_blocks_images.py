"""Images by URL for servers that take only bytes (C18; issue 3, 9)."""

import asyncio

import pytest

from megallm.errors import InvalidRequest
from megallm.messages.calls import Call
from megallm.messages.requests import MessagesRequest
from megallm.providers.openai.blocks_images import fetch_images

from .asking import (
    BY_URL,
    CALL,
    IMAGE,
    assistant,
    call_of,
    result,
    text,
    translated,
    user,
)


class Gallery:
    """An ``ImageSource`` with one picture, which counts what it is asked."""

    def __init__(self) -> None:
        self.asked: list[str] = []

    async def fetch(self, url: str) -> tuple[str, bytes]:
        self.asked.append(url)
        await asyncio.sleep(0)
        if url.endswith("missing"):
            raise InvalidRequest("there is no such image")
        return "image/png", b"hi"


def fetched(call: Call[MessagesRequest], gallery: Gallery | None) -> dict[str, str]:
    return dict(asyncio.run(fetch_images(call.request.messages, call.takes, gallery)))


EVERYWHERE = [
    user(BY_URL, text("a")),
    assistant(CALL),
    user(
        result(BY_URL, {"type": "image", "source": {"type": "url", "url": "https://a.invalid/y"}}),
        {"type": "document", "source": {"type": "content", "content": [BY_URL]}},
        IMAGE,
    ),
    {"role": "user", "content": "b"},
]


def test_images_by_url_are_fetched_once_where_the_server_wants_bytes() -> None:
    """Issue 3, 9: wherever they stand in the conversation."""
    call, gallery = call_of(EVERYWHERE, table="vllm"), Gallery()

    images = fetched(call, gallery)

    assert sorted(gallery.asked) == ["https://a.invalid/x.png", "https://a.invalid/y"]
    assert translated(call, images=images).messages[0] == {
        "role": "user",
        "content": [{"type": "image_url", "image_url": {"url": "data:image/png;base64,aGk="}}, text("a")],
    }


def test_nothing_is_fetched_for_a_server_that_takes_urls() -> None:
    """Nor for a conversation without any."""
    gallery = Gallery()

    assert fetched(call_of(EVERYWHERE), gallery) == {}
    assert fetched(call_of([user(text("a"))], table="vllm"), gallery) == {}
    assert gallery.asked == []


def test_an_image_that_is_not_to_be_had_is_named() -> None:
    """By the place of its block."""
    missing = {"type": "image", "source": {"type": "url", "url": "https://a.invalid/missing"}}

    with pytest.raises(InvalidRequest) as caught:
        fetched(call_of([user(text("a"), missing, BY_URL)], table="vllm"), Gallery())

    assert (caught.value.message, caught.value.param) == (
        "messages.0.content.1: there is no such image",
        "messages.0.content.1",
    )


def test_an_image_by_url_is_refused_where_nobody_fetches() -> None:
    """And the message says which setting helps."""
    call = call_of([user(BY_URL)], table="vllm")

    with pytest.raises(InvalidRequest, match="with MEGALLM_FETCH_IMAGE_URLS set") as caught:
        translated(call, images=fetched(call, None))

    assert caught.value.param == "messages.0.content.0"


def test_too_many_images_by_url_are_refused_before_any_is_fetched() -> None:
    """Twenty different ones pass, whatever their number."""
    blocks = [
        {"type": "image", "source": {"type": "url", "url": f"https://a.invalid/{number % 20}"}} for number in range(40)
    ]
    gallery = Gallery()

    assert len(fetched(call_of([user(*blocks)], table="vllm"), gallery)) == 20
    gallery.asked.clear()
    with pytest.raises(InvalidRequest, match="more than 20 images by URL") as caught:
        fetched(call_of([user(BY_URL, *blocks)], table="vllm"), gallery)

    assert (caught.value.param, gallery.asked) == ("messages.0.content.20", [])

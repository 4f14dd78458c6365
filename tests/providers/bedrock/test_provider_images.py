"""Images by URL for Bedrock, which takes only bytes."""

import asyncio
from collections.abc import Callable

import pytest

from megallm.errors import (
    InvalidRequest,
)
from megallm.messages.calls import Call
from megallm.messages.requests import MessagesRequest

from .asking import call_of
from .calling import answering, claude
from .fake_bedrock import Received, bedrock


class OneImage:
    """A web with one image."""

    def __init__(self) -> None:
        self.fetched: list[str] = []

    async def fetch(self, url: str) -> tuple[str, bytes]:
        self.fetched.append(url)
        if "gone" in url:
            raise InvalidRequest("gone", param="url")
        return "image/png", b"png"


def by_url(url: str) -> dict[str, object]:
    """An image somewhere else."""
    return {"type": "image", "source": {"type": "url", "url": url}}


IN_BASE64 = {"type": "base64", "media_type": "image/png", "data": "cG5n"}


@pytest.mark.parametrize("make", [claude, call_of])
def test_images_by_url_are_fetched_where_that_is_allowed(make: Callable[..., Call[MessagesRequest]]) -> None:
    """Each once, wherever it stands but in a tool's input."""
    turns = [
        {"role": "user", "content": [by_url("https://a.invalid/1"), by_url("https://a.invalid/1")]},
        {
            "role": "assistant",
            "content": [
                {"type": "tool_use", "id": "t1", "name": "f", "input": {"content": by_url("https://a.invalid/2")}}
            ],
        },
        {
            "role": "user",
            "content": [{"type": "tool_result", "tool_use_id": "t1", "content": [by_url("https://a.invalid/3")]}],
        },
    ]
    images = OneImage()

    async def main() -> Received:
        async with bedrock(answering, images=images) as (server, provider):
            await (
                await provider.prepare(make(turns, tools=[{"name": "f", "input_schema": {"type": "object"}}]))
            ).create()
            return server.received[0]

    received = asyncio.run(main())

    assert sorted(images.fetched) == ["https://a.invalid/1", "https://a.invalid/3"]
    assert (received.body.count(b'"cG5n"'), received.body.count(b"https://a.invalid/2")) == (3, 1)


@pytest.mark.parametrize("make", [claude, call_of])
def test_images_by_url_are_refused_where_they_are_not_fetched(make: Callable[..., Call[MessagesRequest]]) -> None:
    """By their path; so is one that is not to be had."""

    async def act(images: OneImage | None, url: str) -> str | None:
        async with bedrock(answering, images=images) as (_, provider):
            with pytest.raises(InvalidRequest) as caught:
                await provider.prepare(make([by_url(url)]))
            return caught.value.param

    assert asyncio.run(act(None, "https://a.invalid/1")) == "messages.0.content.0.source"
    assert asyncio.run(act(OneImage(), "https://a.invalid/gone")) == "messages.0.content.0.source"


@pytest.mark.parametrize("make", [claude, call_of])
def test_too_many_images_by_url_are_refused_before_any_is_fetched(make: Callable[..., Call[MessagesRequest]]) -> None:
    """By the path of the first that is too many."""
    images = OneImage()

    async def act() -> str | None:
        async with bedrock(answering, images=images) as (_, provider):
            with pytest.raises(InvalidRequest, match="more than 20 images by URL") as caught:
                await provider.prepare(make([by_url(f"https://a.invalid/{number}") for number in range(22)]))
            return caught.value.param

    assert (asyncio.run(act()), list(images.fetched)) == ("messages.0.content.20.source", [])


def test_a_request_that_only_speaks_of_urls_stays_as_it_is() -> None:
    """Nothing is fetched for it."""
    images = OneImage()

    async def main() -> bytes:
        async with bedrock(answering, images=images) as (server, provider):
            await (await provider.prepare(claude("What is a url?"))).create()
            return server.received[0].body

    assert (b"What is a url?" in asyncio.run(main()), images.fetched) == (True, [])


def test_a_table_may_refuse_images_by_url() -> None:
    """Then none is fetched."""
    images = OneImage()

    async def main() -> str | None:
        async with bedrock(answering, images=images) as (_, provider):
            with pytest.raises(InvalidRequest) as caught:
                await provider.prepare(
                    claude([by_url("https://a.invalid/1")], takes={"blocks": {"image.url": "refuse"}})
                )
            return caught.value.param

    assert (asyncio.run(main()), images.fetched) == ("messages.0.content.0", [])

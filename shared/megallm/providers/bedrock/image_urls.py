"""Images by URL as bytes in the request, for Bedrock takes only those; fetched where the operator allows it."""

from base64 import b64encode
from collections.abc import Iterator
from dataclasses import replace
from typing import Any, TypeVar

from pydantic_core import from_json

from megallm.errors import InvalidRequest
from megallm.messages.calls import Call
from megallm.messages.json_text import json_text
from megallm.messages.requests import TokenCountRequest, parse
from megallm.providers.images import ImageSource, fetch_all

RequestT = TypeVar("RequestT", bound=TokenCountRequest)

Block = dict[str, Any]  # Any: JSON of the caller's making


async def with_images(call: Call[RequestT], images: ImageSource | None) -> Call[RequestT]:
    """The call with every image in it. Raises InvalidRequest where there is one that is not to be fetched.

    Left as it is where the table has no arrow for ``image.url``: what it says holds then.
    """
    rule = call.takes.blocks.named.get("image.url")
    if rule is None or rule.action != "rewrite" or b"url" not in call.body:
        return call
    payload = from_json(call.body)
    found = list(_by_url(payload.get("messages"), "messages"))
    if not found:
        return call
    if images is None:
        path = f"{found[0][0]}.source"
        raise InvalidRequest(f"{path}: images by URL are not fetched here; send their bytes", param=path)
    paths: dict[str, str] = {}
    for path, block in found:
        paths.setdefault(block["source"]["url"], f"{path}.source")
    fetched = await fetch_all(paths, images)
    sources = {url: _source(kind, image) for url, (kind, image) in fetched.items()}
    for _, block in found:
        block["source"] = sources[block["source"]["url"]]
    body = json_text(payload)
    return replace(call, body=body, request=parse(body, type(call.request)))


def _by_url(value: object, path: str) -> Iterator[tuple[str, Block]]:
    match value:
        case {"type": "image", "source": {"type": "url"}}:
            assert isinstance(value, dict)
            yield path, value
        case list():
            for at, part in enumerate(value):
                yield from _by_url(part, f"{path}.{at}")
        case dict():
            for name in ("content", "source"):  # of turns, tool results and documents; never of a tool's input
                yield from _by_url(value.get(name), f"{path}.{name}")
        case _:
            return


def _source(kind: str, image: bytes) -> Block:
    return {"type": "base64", "media_type": kind, "data": b64encode(image).decode()}

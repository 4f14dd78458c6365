"""What the API says of itself."""

import asyncio
import re

import httpx

from functions.api.app import create_app
from tests.fakes import gateway


def get(path: str) -> httpx.Response:
    async def send() -> httpx.Response:
        async with httpx.AsyncClient(
            transport=httpx.ASGITransport(create_app(gateway())), base_url="http://g"
        ) as client:
            return await client.get(path)

    return asyncio.run(send())


def test_the_description_is_made_of_the_real_types() -> None:
    """/openapi.json has the request's fields and the routes."""
    document = get("/openapi.json").json()

    fields = document["components"]["schemas"]["MessagesRequest"]["properties"]
    assert {"model", "max_tokens", "messages", "system", "tools", "stream"} <= fields.keys()
    assert set(document["paths"]) == {
        "/v1/messages",
        "/v1/messages/count_tokens",
        "/v1/messages/batches",
        "/v1/messages/batches/{batch_id}",
        "/v1/messages/batches/{batch_id}/cancel",
        "/v1/messages/batches/{batch_id}/results",
        "/v1/models",
        "/v1/models/{model_id}",
        "/health",
    }


def test_the_page_shows_every_route_and_every_schema() -> None:
    """A person reads what programs read."""
    document, page = get("/openapi.json").json(), get("/docs").text

    for path in document["paths"]:
        assert f" {path}</code></h2>" in page
    for name in document["components"]["schemas"]:
        assert f'id="{name}"' in page
    assert set(re.findall(r'href="#([^"]+)"', page)) <= set(document["components"]["schemas"])


def test_the_page_loads_nothing_from_anywhere() -> None:
    """A foreign script in our origin could call the local gateway without a key."""
    response = get("/docs")

    assert response.headers["content-security-policy"].startswith("default-src 'none';")
    assert re.findall(r"<script|https?://|@import|<link|<img", response.text) == []

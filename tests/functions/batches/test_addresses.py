"""Where a batch's results are, as its client sees the gateway."""

import asyncio
import json
from collections.abc import Mapping

import pytest

from functions.api.app import create_app
from functions.api.entry import LambdaEntry
from tests.batch_fakes import World
from tests.fakes import KEY
from tests.functions.api.gateway_events import KINDS, Kind, body_of, event
from tests.functions.api.test_handler import CONTEXT
from tests.functions.batches.talking import BASE, PATH, Talk, gateway_of


@pytest.mark.parametrize(
    ("headers", "base"),
    [
        ({}, BASE),
        ({"host": "gateway.test:8443"}, "http://gateway.test:8443"),
        ({"host": "[::1]:4141"}, "http://[::1]:4141"),
        ({"x-forwarded-proto": "https"}, BASE.replace("http:", "https:")),
        ({"x-forwarded-proto": "HTTPS, http"}, BASE.replace("http:", "https:")),
        ({"x-forwarded-proto": "javascript"}, BASE),
        ({"host": "gateway.test/elsewhere?"}, ""),
        ({"host": "user@evil.test"}, ""),
        ({"host": ""}, ""),
    ],
)
def test_the_address_is_the_one_that_was_asked(headers: Mapping[str, str], base: str) -> None:
    """C42: without a host that can be believed it is a path, which the SDKs take as well."""
    talk = Talk()
    batch_id = talk.create("a")["id"]
    talk.end(batch_id)

    one = talk.send("GET", f"{PATH}/{batch_id}", headers=headers).json()
    page = talk.send("GET", headers=headers).json()

    assert [each["results_url"] for each in (one, *page["data"])] == 2 * [f"{base}{PATH}/{batch_id}/results"]


@pytest.mark.parametrize("kind", KINDS)
def test_behind_api_gateway_the_stage_stands_before_the_path(kind: Kind) -> None:
    """A REST API is asked under its stage, of which the path that we see has nothing."""
    talk = Talk(World())
    batch_id = talk.create("a")["id"]
    talk.end(batch_id)
    asked = event(
        kind,
        "GET",
        f"{PATH}/{batch_id}",
        headers={"x-api-key": KEY, "Host": "abc123.execute-api.eu-west-1.amazonaws.com"},
    )

    loop = asyncio.new_event_loop()
    asyncio.set_event_loop(loop)
    try:
        batch = json.loads(body_of(LambdaEntry(create_app(gateway_of(talk.world)))(asked, CONTEXT)))
    finally:
        asyncio.set_event_loop(None)
        loop.close()

    stage = "/prod" if kind == "rest_v1" else ""
    assert batch["results_url"] == (
        f"https://abc123.execute-api.eu-west-1.amazonaws.com{stage}{PATH}/{batch_id}/results"
    )

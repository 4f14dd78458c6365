"""Batches behind API Gateway: the same app under Mangum."""

import asyncio
import json
from collections.abc import Iterator
from typing import Any

import pytest

from functions.api.app import create_app
from functions.api.entry import LambdaEntry
from megallm.settings import Settings
from tests.batch_fakes import World
from tests.fakes import KEY
from tests.functions.api.gateway_events import KINDS, Kind, body_of, event
from tests.functions.api.test_handler import CONTEXT
from tests.functions.batches.talking import PATH, Talk, gateway_of, item

Json = Any  # what goes over the wire

MOST_BODY_BYTES = 5_900_000  # as the stack sets it


@pytest.fixture(params=KINDS)
def kind(request: pytest.FixtureRequest) -> Kind:
    """Either kind of API."""
    chosen: Kind = request.param
    return chosen


@pytest.fixture
def world() -> World:
    return World()


@pytest.fixture
def handler(world: World) -> Iterator[LambdaEntry]:
    """The function, and the event loop that it takes."""
    loop = asyncio.new_event_loop()
    asyncio.set_event_loop(loop)
    yield LambdaEntry(create_app(gateway_of(world, Settings(max_body_bytes=MOST_BODY_BYTES))))
    asyncio.set_event_loop(None)
    loop.close()


def ask(handler: LambdaEntry, kind: Kind, method: str, path: str, body: Json = None) -> Json:
    content = None if body is None else json.dumps(body).encode()
    return handler(event(kind, method, path, body=content, headers={"x-api-key": KEY}), CONTEXT)


def test_a_batch_is_created_listed_and_read(handler: LambdaEntry, kind: Kind, world: World) -> None:
    """C42: also where bodies come and go whole."""
    made = ask(handler, kind, "POST", PATH, {"requests": [item("a"), item("b")]})
    batch_id = json.loads(body_of(made))["id"]
    Talk(world).end(batch_id, [b'{"custom_id":"a"}\n'])
    listed = ask(handler, kind, "GET", PATH)
    results = ask(handler, kind, "GET", f"{PATH}/{batch_id}/results")

    assert made["statusCode"] == 200
    assert [each["id"] for each in json.loads(body_of(listed))["data"]] == [batch_id]
    assert (results["statusCode"], body_of(results)) == (200, b'{"custom_id":"a"}\n')
    assert results["headers"]["content-type"] == "application/x-jsonl"
    assert results["isBase64Encoded"] is False  # which a REST API would hand on as it is


def test_a_batch_carries_no_more_than_a_function_takes(handler: LambdaEntry, kind: Kind, world: World) -> None:
    """C42: 6 MB, and what carries more is named."""
    requests = [item(f"item-{number}", system="x" * 600_000) for number in range(10)]

    answer = ask(handler, kind, "POST", PATH, {"requests": requests})

    error = json.loads(body_of(answer))["error"]
    assert (answer["statusCode"], error["type"]) == (413, "request_too_large")
    assert error["message"].endswith("drop a file into S3, or use `megallm batch submit`, which carry more")
    assert world.batches == {}

"""The limits' table cannot be reached: nobody is let in uncounted, through the whole app (docs/limits.md)."""

import asyncio
import logging
import socket
import time
from collections.abc import Iterator
from contextlib import closing

import httpx
import pytest

from functions.api.app import create_app
from megallm.limits.tiers import load
from megallm.local import aws
from megallm.stores.limits import DynamoLimiter
from megallm.stores.limits_table import DynamoTable
from megallm.telemetry import fields_of
from tests.fakes import KEY, ScriptedProvider, gateway
from tests.limits.over import dynamo_http

BODY = {"model": "claude-test", "max_tokens": 10, "messages": [{"role": "user", "content": "Hi"}]}

REASONS = {
    "nobody": "ClientConnectorError",
    "silence": "TimeoutError",
    "no_table": "ResourceNotFoundException",
}


@pytest.fixture
def nobody() -> Iterator[str]:
    """An address at which nothing answers: it is held, so that nobody else takes it, and not listened at."""
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        yield f"http://127.0.0.1:{held.getsockname()[1]}"


@pytest.fixture
def silence() -> Iterator[str]:
    """An address that takes calls and never answers."""
    with closing(socket.create_server(("127.0.0.1", 0))) as listener:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"


@pytest.fixture
def no_table() -> Iterator[str]:
    """A DynamoDB without the table, as after a wrong setting."""
    running = aws.start()
    yield running.endpoint_url
    running.stop()


@pytest.mark.parametrize("engine", REASONS)
@pytest.mark.parametrize("stream", [False, True])
def test_a_limit_that_cannot_be_checked_is_not_given_away(
    request: pytest.FixtureRequest, caplog: pytest.LogCaptureFixture, engine: str, stream: bool
) -> None:
    """An error that the SDKs retry, the same whatever is wrong; no upstream is called, and the log has the reason."""
    caplog.set_level(logging.INFO, "megallm")
    http = dynamo_http(request.getfixturevalue(engine), attempt_seconds=0.1 if engine == "silence" else 30.0)
    provider = ScriptedProvider()
    limiter = DynamoLimiter(DynamoTable(lambda: http, "limits"), load(), clock=time.time_ns)

    async def ask() -> httpx.Response:
        transport = httpx.ASGITransport(create_app(gateway(provider, limiter=limiter)))
        async with httpx.AsyncClient(transport=transport, base_url="http://gateway") as client:
            answer = await client.post("/v1/messages", json={**BODY, "stream": stream}, headers={"x-api-key": KEY})
        await limiter.aclose()
        return answer

    answer = asyncio.run(ask())

    error = {
        "type": "api_error",
        "message": "The gateway could not check this key's limits: their table did not answer",
    }
    expected = {"type": "error", "error": error, "request_id": answer.headers["request-id"]}
    assert (answer.status_code, answer.json()) == (500, expected)
    assert "x-should-retry" not in answer.headers
    assert provider.calls == []
    lines = [fields_of(record) for record in caplog.records if record.getMessage() == "dynamodb_failed"]
    assert [(line["operation"], line["failure"]) for line in lines] == [("UpdateItem", REASONS[engine])]

"""Events that the function does not know, and requests that it cannot read: answered, and survived."""

import asyncio
import io
import json

import pytest

from tests.functions.api.gateway_events import event
from tests.functions.streaming.serving import answering, goes_on, serving
from tests.functions.streaming.wire import Json

PING = {
    "version": "0",
    "id": "53dc4d37-cffa-4f76-80c9-8b7d4a4d2eaa",
    "detail-type": "Scheduled Event",
    "source": "aws.events",
    "account": "123456789012",
    "time": "2026-11-22T14:00:00Z",
    "region": "eu-central-1",
    "resources": ["arn:aws:events:eu-central-1:123456789012:rule/warm"],
    "detail": {},
}
QUEUED = {"Records": [{"messageId": "m-1", "body": "{}", "eventSource": "aws:sqs"}]}

UNKNOWN = {
    "errorMessage": "The event is no HTTP request of an API Gateway or a function URL",
    "errorType": "Function.UnknownEvent",
    "stackTrace": [],
}
UNREADABLE = {
    "errorMessage": "The event is not a JSON object",
    "errorType": "Runtime.UnmarshalError",
    "stackTrace": [],
}


@pytest.mark.parametrize(
    ("sent", "told"),
    [
        (PING, UNKNOWN),
        (QUEUED, UNKNOWN),
        ({}, UNKNOWN),
        ({"requestContext": None}, UNKNOWN),
        (b"", UNREADABLE),
        (b"null", UNREADABLE),
        (b'{"resource": ', UNREADABLE),
        (b'"\xff"', UNREADABLE),
        (b"[" * 100_000, UNREADABLE),
    ],
    ids=["schedule", "queue", "empty object", "no context", "nothing", "null", "half", "no UTF-8", "nested"],
)
def test_an_event_that_is_no_request_is_an_error_of_its_invocation(sent: Json, told: Json) -> None:
    """A ping of a schedule, a message of a queue, what is no JSON: told, and survived."""

    async def scenario() -> tuple[Json, dict[str, str]]:
        async with serving(answering(200, [], b"ok")) as served:
            headers = {"Lambda-Runtime-Invocation-Id": "attempt-1"}
            exchange = served.api.invoke(sent, headers=headers)
            await exchange.end()
            await goes_on(served)
            assert exchange.post is not None
            return exchange.error, exchange.post.headers

    error, headers = asyncio.run(scenario())

    assert error == told
    assert headers["lambda-runtime-function-error-type"] == told["errorType"]
    assert headers["lambda-runtime-invocation-id"] == "attempt-1"


@pytest.mark.parametrize(
    "spoilt",
    [
        event("rest_v1") | {"body": '{"model": "\ud800"}'},
        event("rest_v1") | {"httpMethod": None, "path": 7},
        event("rest_v1") | {"multiValueHeaders": {"Host": ["a:b"]}, "headers": {}},
        event("http_v2") | {"isBase64Encoded": True, "body": "abcde"},
    ],
    ids=["surrogate", "path", "host", "base64"],
)
def test_a_request_that_cannot_be_read_is_refused_in_the_documented_shape(spoilt: Json, lines: io.StringIO) -> None:
    """C08: as under Mangum a 400 for its sender, no failure of the function."""

    async def scenario() -> tuple[int, Json, Json]:
        async with serving(answering(200, [], b"ok")) as served:
            exchange = served.api.invoke(spoilt)
            await exchange.end()
            await goes_on(served)
            return exchange.answer.status, exchange.answer.prelude["headers"], exchange.answer.json

    status, headers, body = asyncio.run(scenario())

    assert status == 400
    assert body == {
        "type": "error",
        "error": {"type": "invalid_request_error", "message": "The gateway could not read this request"},
        "request_id": headers["request-id"],
    }
    assert json.loads(lines.getvalue().splitlines()[0])["event"] == "unreadable_event"

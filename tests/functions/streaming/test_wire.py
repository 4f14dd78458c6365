"""What goes over the wire to the Runtime API, byte for byte, for each kind of event and of response."""

import asyncio
import json
import time

import pytest
from mangum.types import Receive, Scope, Send

from tests.functions.api.gateway_events import event
from tests.functions.streaming.runtime_api import FUNCTION_ARN, INVOCATION, REQUEST_ID
from tests.functions.streaming.serving import answering, serving
from tests.functions.streaming.wire import Json

PLAIN = [(b"content-type", b"text/plain"), (b"content-length", b"5")]


def head(address: str, *more: str) -> bytes:
    """The head of a streamed response."""
    return "\r\n".join(
        [
            f"POST {INVOCATION}/{REQUEST_ID}/response HTTP/1.1",
            f"Host: {address}",
            "User-Agent: megallm-streaming",
            "Connection: close",
            "Content-Type: application/vnd.awslambda.http-integration-response",
            "Lambda-Runtime-Function-Response-Mode: streaming",
            "Transfer-Encoding: chunked",
            "Trailer: Lambda-Runtime-Function-Error-Type, Lambda-Runtime-Function-Error-Body",
            *more,
            "",
            "",
        ]
    ).encode()


def prelude(text: str) -> bytes:
    """The prelude's chunk."""
    return b"%x\r\n%b\0\0\0\0\0\0\0\0\r\n" % (len(text) + 8, text.encode())


def test_a_response_is_a_prelude_a_mark_and_its_pieces() -> None:
    """DESIGN: chunk by chunk as the app sends them, and an end."""

    async def scenario() -> tuple[bytes, bytes]:
        async with serving(answering(200, PLAIN[:1], b"Hel", b"lo", b"")) as served:
            exchange = served.api.invoke(event("rest_v1"), request_id=REQUEST_ID)
            await exchange.end()
            return bytes(exchange.raw), head(served.api.address)

    raw, sent_head = asyncio.run(scenario())

    assert raw == (
        sent_head
        + prelude('{"statusCode":200,"headers":{"content-type":"text/plain"},"multiValueHeaders":{}}')
        + b"3\r\nHel\r\n2\r\nlo\r\n0\r\n\r\n"
    )


def test_what_is_sent_leaves_before_more_is_there() -> None:
    """The prelude does not wait for the first piece, nor a piece for the next one."""

    async def scenario() -> list[bytes]:
        gates = [asyncio.Event(), asyncio.Event()]

        async def app(scope: Scope, receive: Receive, send: Send) -> None:
            await send({"type": "http.response.start", "status": 200, "headers": []})
            await gates[0].wait()
            await send({"type": "http.response.body", "body": b"first", "more_body": True})
            await gates[1].wait()
            await send({"type": "http.response.body", "body": b"last"})

        async with serving(app) as served:
            exchange = served.api.invoke(event("rest_v1"))
            await exchange.came(b"\0" * 8)
            gates[0].set()
            await exchange.came(b"first")
            gates[1].set()
            await exchange.end()
            assert exchange.post is not None
            return exchange.post.chunks[1:]

    assert asyncio.run(scenario()) == [b"first", b"last"]


REPEATED = [(b"x-one", b"1"), (b"Via", b"a"), (b"via", b"b"), (b"set-cookie", b"c=1"), (b"set-cookie", b"d=2")]


@pytest.mark.parametrize(
    ("happening", "expected"),
    [
        (
            event("rest_v1"),
            {
                "statusCode": 201,
                "headers": {"x-one": "1"},
                "multiValueHeaders": {"via": ["a", "b"], "set-cookie": ["c=1", "d=2"]},
            },
        ),
        (
            event("http_v2"),
            {"statusCode": 201, "headers": {"x-one": "1", "via": "a, b"}, "cookies": ["c=1", "d=2"]},
        ),
    ],
    ids=["format 1.0", "format 2.0"],
)
def test_repeated_headers_stay_apart_as_the_events_format_has_them(happening: Json, expected: Json) -> None:
    """Format 1.0 has lists of values; 2.0, a function URL's too, joins all but cookies."""

    async def scenario() -> Json:
        async with serving(answering(201, REPEATED, b"ok")) as served:
            exchange = served.api.invoke(happening)
            await exchange.end()
            return exchange.answer.prelude

    assert asyncio.run(scenario()) == expected


@pytest.mark.parametrize(("method", "status"), [("HEAD", 200), ("GET", 204), ("GET", 304)])
def test_what_has_no_body_is_sent_none(method: str, status: int) -> None:
    """Nor a length, for which somebody might wait."""

    async def scenario() -> bytes:
        async with serving(answering(status, PLAIN, b"He", b"llo")) as served:
            exchange = served.api.invoke(event("rest_v1", method), request_id=REQUEST_ID)
            await exchange.end()
            return bytes(exchange.raw).removeprefix(head(served.api.address))

    expected = f'{{"statusCode":{status},"headers":{{"content-type":"text/plain"}},"multiValueHeaders":{{}}}}'
    assert asyncio.run(scenario()) == prelude(expected) + b"0\r\n\r\n"


def test_a_large_piece_goes_in_chunks() -> None:
    """Nothing large waits in a buffer; not a byte is lost on the way."""
    body = bytes(range(256)) * 4100

    async def scenario() -> list[bytes]:
        async with serving(answering(200, [], body)) as served:
            exchange = served.api.invoke(event("rest_v1"))
            await exchange.end()
            assert exchange.post is not None
            return exchange.post.chunks[1:]

    chunks = asyncio.run(scenario())

    assert [len(each) for each in chunks] == [262144, 262144, 262144, 262144, 1024]
    assert b"".join(chunks) == body


@pytest.mark.parametrize("chunked", [False, True], ids=["whole", "in chunks"])
@pytest.mark.parametrize("kind", ["rest_v1", "http_v2"])
def test_a_binary_body_reaches_the_app_as_it_was(kind: str, chunked: bool) -> None:
    """As base64 in the event; a large event comes in chunks, too."""
    body = bytes(range(256)) * 400

    async def echo(scope: Scope, receive: Receive, send: Send) -> None:
        request = await receive()
        await answering(200, [], request["body"])(scope, receive, send)

    async def scenario() -> bytes:
        async with serving(echo) as served:
            sent = event("rest_v1" if kind == "rest_v1" else "http_v2", body=body, in_base64=True)
            exchange = served.api.invoke(sent, chunked=chunked)
            await exchange.end()
            return exchange.answer.payload

    assert asyncio.run(scenario()) == body


async def tell(scope: Scope, receive: Receive, send: Send) -> None:
    """An app that answers with what it sees of its invocation."""
    context = scope["aws.context"]
    before = time.time()
    left = context.get_remaining_time_in_millis() / 1000
    seen = {
        "request_id": context.aws_request_id,
        "arn": context.invoked_function_arn,
        "function": [context.function_name, context.memory_limit_in_mb],
        "deadline": [before + left, time.time() + left],
        "path": scope["path"],
        "client": scope["client"][0],
    }
    await answering(200, [], json.dumps(seen).encode())(scope, receive, send)


FUNCTION_URL = {
    **event("http_v2", "GET", "/v1/models"),
    "routeKey": "$default",
    "requestContext": {
        **event("http_v2", "GET", "/v1/models")["requestContext"],
        "domainName": "abcdefghijklmnopqrstuvwxyz012345.lambda-url.eu-central-1.on.aws",
        "routeKey": "$default",
        "stage": "$default",
    },
}


@pytest.mark.parametrize(
    "happening",
    [event("rest_v1", "GET", "/v1/models"), event("http_v2", "GET", "/v1/models"), FUNCTION_URL],
    ids=["REST API", "HTTP API", "function URL"],
)
def test_the_app_sees_its_invocation(happening: Json) -> None:
    """Mangum's scope, with the context that tells the time left: the app ends its calls by it."""

    async def scenario() -> tuple[Json, float]:
        async with serving(tell) as served:
            exchange = served.api.invoke(happening, request_id=REQUEST_ID, seconds=42)
            await exchange.end()
            return exchange.answer.json, int(exchange.headers["Lambda-Runtime-Deadline-Ms"]) / 1000

    seen, deadline = asyncio.run(scenario())

    earliest, latest = seen.pop("deadline")
    assert earliest - 0.01 < deadline < latest + 0.01
    assert seen == {
        "request_id": REQUEST_ID,
        "arn": FUNCTION_ARN,
        "function": ["megallm-api", 512],
        "path": "/v1/models",
        "client": "198.51.100.7",
    }


def test_an_invocations_id_goes_back_with_its_response() -> None:
    """Lambda names each attempt; a runtime that echoes the name can not answer for another one."""

    async def scenario() -> tuple[bytes, bytes]:
        async with serving(answering(200, [], b"ok")) as served:
            exchange = served.api.invoke(
                event("rest_v1"), request_id=REQUEST_ID, headers={"Lambda-Runtime-Invocation-Id": "attempt-1"}
            )
            await exchange.end()
            return bytes(exchange.raw), head(served.api.address, "Lambda-Runtime-Invocation-Id: attempt-1")

    raw, sent_head = asyncio.run(scenario())

    assert raw.startswith(sent_head)


def test_each_invocation_has_its_own_trace() -> None:
    """Where X-Ray's libraries look for it; one without a trace does not inherit the last one's."""
    seen: list[str | None] = []

    async def scenario() -> None:
        async def app(scope: Scope, receive: Receive, send: Send) -> None:
            seen.append(served.environ.get("_X_AMZN_TRACE_ID"))
            await answering(200, [], b"ok")(scope, receive, send)

        async with serving(app) as served:
            for headers in ({"Lambda-Runtime-Trace-Id": "Root=1-a"}, {"Lambda-Runtime-Trace-Id": "Root=1-b"}, {}):
                await served.api.invoke(event("rest_v1"), headers=headers).end()

    asyncio.run(scenario())

    assert seen == ["Root=1-a", "Root=1-b", None]


def test_the_runtime_asks_for_one_invocation_after_the_other() -> None:
    """Each on a connection of its own: after a freeze no old one is there to fail."""

    async def scenario() -> tuple[list[bytes], bytes]:
        async with serving(answering(200, [], b"ok")) as served:
            await served.api.invoke(event("rest_v1")).end()
            await served.api.idle()
            asked = f"GET {INVOCATION}/next HTTP/1.1\r\nHost: {served.api.address}\r\n"
            return served.api.next_heads, f"{asked}User-Agent: megallm-streaming\r\nConnection: close\r\n\r\n".encode()

    heads, expected = asyncio.run(scenario())

    assert heads == [expected, expected]

"""An app that fails, and a Runtime API that refuses: it is told in the right place, and the loop goes on."""

import asyncio
import base64
import io
import json

import pytest
from mangum.types import ASGI, Receive, Scope, Send

from functions.api.runtime.connection import RuntimeApiFailed
from tests.functions.api.gateway_events import event
from tests.functions.streaming.runtime_api import REQUEST_ID, Exchange
from tests.functions.streaming.serving import NO_RESPONSE, answering, failing_once, goes_on, serving
from tests.functions.streaming.wire import Json


async def fail(scope: Scope, receive: Receive, send: Send) -> None:
    raise KeyError("what a caller wrote")


async def fail_in_the_middle(scope: Scope, receive: Receive, send: Send) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b"half", "more_body": True})
    raise KeyError("what a caller wrote")


async def stop_in_the_middle(scope: Scope, receive: Receive, send: Send) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b"half", "more_body": True})


async def say_nothing(scope: Scope, receive: Receive, send: Send) -> None:
    """Ends without a response."""


async def fail_behind_the_end(scope: Scope, receive: Receive, send: Send) -> None:
    await answering(200, [], b"whole")(scope, receive, send)
    raise KeyError("what a caller wrote")


async def failed(app: ASGI) -> Exchange:
    """The invocation that the app failed."""
    async with serving(failing_once(app)) as served:
        exchange = served.api.invoke(event("rest_v1"), request_id=REQUEST_ID)
        await exchange.end()
        await goes_on(served)
        return exchange


CRASH = {
    "errorMessage": "The function failed; its log has the reason",
    "errorType": "Function.KeyError",
    "stackTrace": [],
}
INCOMPLETE = {
    "errorMessage": "The function ended before its response was whole",
    "errorType": "Function.IncompleteResponse",
    "stackTrace": [],
}


@pytest.mark.parametrize(("app", "told"), [(fail, CRASH), (say_nothing, NO_RESPONSE)])
def test_a_failure_before_the_response_is_an_error_of_the_invocation(app: ASGI, told: Json, lines: io.StringIO) -> None:
    """Without the exception's text, which may quote what a caller wrote; the log has its place."""
    exchange = asyncio.run(failed(app))

    assert exchange.error == told
    assert "what a caller wrote" not in lines.getvalue()
    assert ("test_failures.py" in lines.getvalue()) == (told is CRASH)


@pytest.mark.parametrize(("app", "told"), [(fail_in_the_middle, CRASH), (stop_in_the_middle, INCOMPLETE)])
def test_a_failure_in_the_middle_goes_into_the_trailers(app: ASGI, told: Json, lines: io.StringIO) -> None:
    """DESIGN: byte for byte what stands behind the last chunk; the reader knows that the response is not whole."""
    exchange = asyncio.run(failed(app))

    error = json.dumps(told, separators=(",", ":")).encode()
    assert exchange.raw.endswith(
        b"4\r\nhalf\r\n0\r\n"
        + f"Lambda-Runtime-Function-Error-Type: {told['errorType']}\r\n".encode()
        + b"Lambda-Runtime-Function-Error-Body: "
        + base64.b64encode(error)
        + b"\r\n\r\n"
    )


def test_a_failure_behind_the_end_spoils_nothing(lines: io.StringIO) -> None:
    """What is whole stays whole; the log tells."""
    exchange = asyncio.run(failed(fail_behind_the_end))

    assert exchange.raw.endswith(b"5\r\nwhole\r\n0\r\n\r\n")
    assert '"event":"crash"' in lines.getvalue()


@pytest.mark.parametrize("status", [400, 403, 413])
def test_a_response_that_lambda_refuses_is_noted(status: int, lines: io.StringIO) -> None:
    """The next one may be welcome."""

    async def scenario() -> None:
        async with serving(answering(200, [], b"ok")) as served:
            await served.api.invoke(event("rest_v1"), answer_status=status).end()
            await goes_on(served)

    asyncio.run(scenario())

    told = json.loads(lines.getvalue())
    assert (told["event"], told["status"]) == ("response_refused", status)


def test_a_broken_container_ends_the_runtime(lines: io.StringIO) -> None:
    """AWS: after a 500 the runtime is to end. Everything that the function holds is closed before."""

    async def scenario() -> int:
        async with serving(answering(200, [], b"ok")) as served:
            served.api.invoke(event("rest_v1"), answer_status=500)
            with pytest.raises(RuntimeApiFailed, match="500"):
                await served.running
            return served.closed

    assert asyncio.run(scenario()) == 1

"""How an invocation ends from outside: its reader goes, its time is up, the function is stopped."""

import asyncio
import io
import json

import pytest
from mangum.types import Receive, Scope, Send

from functions.api.disconnect import ClientGone
from functions.api.runtime.connection import RuntimeApiFailed
from tests.functions.api.gateway_events import event
from tests.functions.streaming.serving import NO_RESPONSE, answering, failing_once, goes_on, serving
from tests.functions.streaming.wire import Json


class Endless:
    """An app that writes until it is told that nobody reads; it remembers how it ended."""

    def __init__(self, *, watches: bool) -> None:
        self._watches = watches
        self.ended: str | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await receive()
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"begun", "more_body": True})
        if self._watches:
            self.ended = (await receive())["type"]
            return
        try:
            while True:
                await send({"type": "http.response.body", "body": b"x" * 1000, "more_body": True})
                await asyncio.sleep(0)
        except ClientGone:
            self.ended = "ClientGone"
            raise


@pytest.mark.parametrize(("watches", "ended"), [(True, "http.disconnect"), (False, "ClientGone")])
def test_a_broken_connection_ends_the_app(watches: bool, ended: str, lines: io.StringIO) -> None:
    """C30: whether it waits for the disconnect or only writes; then the loop goes on."""
    app = Endless(watches=watches)

    async def scenario() -> None:
        async with serving(failing_once(app)) as served:
            exchange = served.api.invoke(event("rest_v1"))
            await exchange.came(b"begun")
            exchange.break_off()
            await goes_on(served)

    asyncio.run(scenario())

    assert app.ended == ended


def test_an_answer_in_the_middle_ends_the_app(lines: io.StringIO) -> None:
    """Lambda refuses to read on, as for a response that is too large: nothing more is made for it."""
    app = Endless(watches=True)

    async def scenario() -> None:
        async with serving(failing_once(app)) as served:
            exchange = served.api.invoke(event("rest_v1"), answer_status=413, answer_early=True)
            await exchange.end()
            await goes_on(served)

    asyncio.run(scenario())

    assert app.ended == "http.disconnect"
    told = json.loads(lines.getvalue().splitlines()[0])
    assert (told["event"], told["status"]) == ("response_refused", 413)


def test_a_reader_that_takes_nothing_does_not_outlive_the_invocation() -> None:
    """A moment before Lambda stops the function it is over: there is time to settle, and for the log."""
    app = Endless(watches=False)

    async def scenario() -> None:
        async with serving(failing_once(app)) as served:
            exchange = served.api.invoke(event("rest_v1"), seconds=3.0)
            exchange.reading.clear()
            await served.api.idle()  # the runtime has asked for the next one

    asyncio.run(scenario())

    assert app.ended == "ClientGone"


def test_an_app_that_says_nothing_in_time_is_told_to_end() -> None:
    """Then Lambda gets an error, and not silence."""
    received: list[Json] = []

    async def wait(scope: Scope, receive: Receive, send: Send) -> None:
        await receive()
        received.append(await receive())

    async def scenario() -> Json:
        async with serving(failing_once(wait)) as served:
            exchange = served.api.invoke(event("rest_v1"), seconds=0.6)
            await exchange.end()
            await goes_on(served)
            return exchange.error

    assert asyncio.run(scenario()) == NO_RESPONSE
    assert received == [{"type": "http.disconnect"}]


def test_without_a_runtime_api_the_runtime_ends() -> None:
    """It does not spin: Lambda starts another one."""

    async def scenario() -> int:
        async with serving(answering(200, [], b"ok")) as served:
            await served.api.idle()
            await served.api.__aexit__(None, None, None)
            with pytest.raises(RuntimeApiFailed, match="no answer"):
                await served.running
            return served.closed

    assert asyncio.run(scenario()) == 1


def test_a_stop_ends_a_waiting_runtime() -> None:
    """SIGTERM between two invocations: all is closed at once."""

    async def scenario() -> int:
        async with serving(answering(200, [], b"ok")) as served:
            await served.api.idle()
            served.server.stop()
            await served.running
            return served.closed

    assert asyncio.run(scenario()) == 1


def test_a_stop_cancels_the_app_and_lets_it_end_its_response() -> None:
    """SIGTERM in an invocation: the app says what it has to say, then all is closed."""

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            await send({"type": "http.response.body", "body": b"goodbye"})

    async def scenario() -> tuple[bytes, int]:
        async with serving(app) as served:
            exchange = served.api.invoke(event("rest_v1"))
            await exchange.came(b"\0" * 8)
            served.server.stop()
            await exchange.end()
            await served.running
            return exchange.answer.payload, served.closed

    assert asyncio.run(scenario()) == (b"goodbye", 1)


def test_a_function_that_does_not_close_does_not_stop_the_end(lines: io.StringIO) -> None:
    """Lambda waits half a second at most."""

    async def scenario() -> None:
        async with serving(answering(200, [], b"ok"), aclose=asyncio.Event().wait) as served:  # type: ignore[arg-type]  # never comes
            await served.api.idle()
            served.server.stop()
            await served.running

    asyncio.run(scenario())

    assert json.loads(lines.getvalue())["event"] == "not_closed"

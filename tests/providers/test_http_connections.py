"""The connections of the HTTP client: which are kept, which are closed, and when."""

import asyncio
import gc
import socket
import warnings
from contextlib import suppress

import pytest

from megallm.errors import UpstreamFailed
from megallm.providers.http import LINGER_SECONDS, Http, HttpAnswer
from tests.providers.http_calls import BROKEN, HEADERS, forever, outcome, post, with_server
from tests.providers.raw_server import Connection, RawServer, answer, serving
from tests.providers.slow_clock import SlowClock, turns


def test_a_whole_body_leaves_the_connection_for_the_next_call() -> None:
    """Also one that was read in pieces."""

    async def use(http: Http, server: RawServer) -> int:
        for _ in range(3):
            async with http.open(server.url, headers=HEADERS, body=b"{}") as opened:
                assert [piece async for piece in opened.chunks()] == [b"{}"]
            await post(http, server.url)
        return len(server.connections)

    assert with_server(forever, use) == 1


def test_sixteen_calls_at_once_have_a_connection_each() -> None:
    """No queue: an upstream's answer can take minutes."""
    together = asyncio.Barrier(16)

    async def script(connection: Connection) -> None:
        await connection.request()
        await together.wait()
        await connection.send(answer(b"{}"))
        await connection.gone()

    async def use(http: Http, server: RawServer) -> set[int]:
        answers = await asyncio.gather(*(post(http, server.url) for _ in range(16)))
        return {each.status for each in answers}

    assert with_server(script, use) == {200}


@pytest.mark.parametrize("moment", ["before the head", "in the body", "between pieces"])
def test_cancelling_closes_the_connection_at_once(moment: str) -> None:
    """The upstream stops generating, and stops charging for it, when it sees its client go (C30)."""
    waiting, gone = asyncio.Event(), asyncio.Event()

    async def script(connection: Connection) -> None:
        await connection.request()
        if moment != "before the head":
            await connection.send(b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\n")
        if moment == "between pieces":
            await connection.send(b"data")
        waiting.set()
        await connection.gone()
        gone.set()

    async def use(http: Http, server: RawServer) -> int:
        call = asyncio.create_task(post(http, server.url))
        await waiting.wait()
        await asyncio.sleep(0.05)  # the client has read all that there is
        client = _socket_in_use(http)
        call.cancel()
        with pytest.raises(asyncio.CancelledError):
            await call
        await asyncio.sleep(0)
        closed = client.fileno()
        async with asyncio.timeout(60):
            await gone.wait()
        return closed

    assert with_server(script, use) == -1


@pytest.mark.parametrize("ending", ["break", "error"])
def test_leaving_a_body_half_read_closes_the_connection(ending: str) -> None:
    """A stream that its reader gives up must not go on in the background, or feed the next call.

    At once where an error ended it; else after the moment in which it may end by itself.
    """
    gone = asyncio.Event()

    async def script(connection: Connection) -> None:
        await connection.request()
        await connection.send(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n4\r\ndata\r\n")
        await connection.gone()
        gone.set()

    async def use(http: Http, server: RawServer) -> list[bool]:
        with suppress(LookupError):
            async with http.open(server.url, headers=HEADERS, body=b"{}") as opened:
                client = _socket_in_use(http)
                async for _ in opened.chunks():
                    if ending == "error":
                        raise LookupError
                    break
        closed = []
        for seconds in (0.0, LINGER_SECONDS / 2, LINGER_SECONDS):
            SlowClock.running().advance(seconds)
            await turns()
            closed.append(client.fileno() == -1)
        async with asyncio.timeout(1):
            await gone.wait()
        return closed

    assert with_server(script, use, loop=SlowClock) == ([True] * 3 if ending == "error" else [False, False, True])


def test_a_body_that_ends_a_moment_after_its_last_event_leaves_the_connection_for_the_next_call() -> None:
    """Servers send `[DONE]` and then, in a packet of its own, the end: a handshake for each stream would be dear."""
    left = asyncio.Event()

    async def script(connection: Connection) -> None:
        while True:
            await connection.request()
            await connection.send(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n6\r\n[DONE]\r\n")
            await left.wait()
            left.clear()
            await connection.send(b"0\r\n\r\n")

    async def use(http: Http, server: RawServer) -> int:
        for _ in range(5):
            async with http.open(server.url, headers=HEADERS, body=b"{}") as opened:
                async for _ in opened.chunks():
                    break
            left.set()
            await asyncio.wait([*http._ending])
        return len(server.connections)

    assert with_server(script, use, loop=SlowClock) == 1


def test_an_endless_body_that_nobody_reads_is_closed_before_its_time_is_up() -> None:
    """What still comes is bounded in bytes, too."""
    sent = 0

    async def script(connection: Connection) -> None:
        nonlocal sent
        await connection.request()
        await connection.send(b"HTTP/1.1 200 OK\r\n\r\n")
        while sent < 500_000_000:
            await connection.send(bytes(16_384))
            sent += 16_384

    async def use(http: Http, server: RawServer) -> int:
        async with http.open(server.url, headers=HEADERS, body=b"{}"):
            pass
        await asyncio.sleep(LINGER_SECONDS * 2)
        return sent

    assert with_server(script, use) < 20_000_000


def test_closing_the_client_does_not_wait_for_an_upstream_that_does_not_read() -> None:
    """A process that is told to stop has seconds: such a connection would never be quite closed."""
    waiting, closed = asyncio.Event(), asyncio.Event()

    async def script(connection: Connection) -> None:
        await connection.head()
        waiting.set()
        await closed.wait()

    async def use(http: Http, server: RawServer) -> object:
        call = asyncio.create_task(outcome(http, server.url, b"x" * 30_000_000))
        await waiting.wait()
        async with asyncio.timeout(60):
            await http.aclose()
        closed.set()
        return await call

    assert with_server(script, use) == (UpstreamFailed, BROKEN, True)


def test_a_loop_that_ends_right_after_a_call_leaves_nothing_open() -> None:
    """What would have lingered has not begun to; whatever is left open warns here, and warnings are errors."""

    async def script(connection: Connection) -> None:
        await connection.request()
        await connection.send(answer(b"{}", content_length="3"))

    async def use(http: Http, server: RawServer) -> int:
        async with http.open(server.url, headers=HEADERS, body=b"{}") as opened:
            with suppress(UpstreamFailed):
                await opened.read()
            return opened.status

    assert with_server(script, use) == 200
    gc.collect()


def test_closing_the_client_ends_what_lingers() -> None:
    """Nothing is left of it when the loop ends."""

    async def script(connection: Connection) -> None:
        await connection.request()
        await connection.send(b"HTTP/1.1 200 OK\r\n\r\ndata")
        await connection.gone()

    async def use(http: Http, server: RawServer) -> set[asyncio.Task[None]]:
        async with http.open(server.url, headers=HEADERS, body=b"{}"):
            pass
        assert len(http._ending) == 1
        await http.aclose()
        await asyncio.sleep(0)
        return http._ending

    assert with_server(script, use) == set()


def test_cancelling_does_not_wait_for_an_upstream_that_does_not_read() -> None:
    """Else what still waits to be sent would keep the connection open, and the upstream at work."""
    waiting, looked = asyncio.Event(), asyncio.Event()

    async def script(connection: Connection) -> None:
        await connection.head()
        waiting.set()
        await looked.wait()

    async def use(http: Http, server: RawServer) -> int:
        call = asyncio.create_task(post(http, server.url, b"x" * 30_000_000))
        await waiting.wait()
        await asyncio.sleep(0.05)
        client = _socket_in_use(http)
        call.cancel()
        with pytest.raises(asyncio.CancelledError):
            await call
        await asyncio.sleep(0)
        looked.set()
        return client.fileno()

    assert with_server(script, use) == -1


def _socket_in_use(http: Http) -> socket.socket:
    assert http._pool is not None
    [protocol] = http._pool._acquired
    assert protocol.transport is not None
    client: socket.socket = protocol.transport.get_extra_info("socket")
    return client


def test_calls_that_begin_together_on_a_new_loop_leave_no_second_pool_open() -> None:
    """They share the one that the first of them makes."""

    async def call() -> set[int]:
        async with serving(forever) as server:
            answers = await asyncio.gather(*(post(http, server.url) for _ in range(5)))
            return {each.status for each in answers}

    async def call_and_close() -> set[int]:
        statuses = await call()
        await http.aclose()
        return statuses

    http = Http()
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        statuses = [asyncio.run(call()), asyncio.run(call_and_close())]
        gc.collect()

    unclosed = [str(each.message) for each in caught if "connector" in str(each.message)]
    assert (statuses, unclosed) == ([{200}, {200}], [])


def test_another_event_loop_gets_connections_of_its_own() -> None:
    """Those of a loop that was closed without closing the client cannot be used, and do not hinder."""

    async def call() -> HttpAnswer:
        async with serving(forever) as server:
            return await post(http, server.url)

    http = Http()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)  # asyncio's own, for sockets whose loop has gone
        answers = [asyncio.run(call()) for _ in range(3)]
        asyncio.run(http.aclose())
        gc.collect()

    assert [each.status for each in answers] == [200, 200, 200]


def test_a_closed_client_opens_anew() -> None:
    """Closing frees what there is; it forbids nothing."""

    async def use(http: Http, server: RawServer) -> int:
        for _ in range(2):
            await post(http, server.url)
            await http.aclose()
        return len(server.connections)

    assert with_server(forever, use) == 2

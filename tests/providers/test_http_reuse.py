"""The connections that the HTTP client uses again, and those that it must not."""

import asyncio
import socket

from megallm.errors import UpstreamFailed
from megallm.providers.http import Http, HttpAnswer
from tests.providers.http_calls import BROKEN, outcome, post, with_server
from tests.providers.raw_server import Connection, RawServer, answer, serving


def test_a_connection_that_the_server_closed_while_idle_is_not_used_again() -> None:
    """Servers keep them for seconds only."""

    async def script(connection: Connection) -> None:
        await connection.request()
        await connection.send(answer(b"{}"))
        connection.close()

    async def use(http: Http, server: RawServer) -> tuple[list[int], int]:
        statuses = []
        for _ in range(3):
            statuses.append((await post(http, server.url)).status)
            await _until_spoilt(http)
        return statuses, len(server.connections)

    assert with_server(script, use) == ([200, 200, 200], 3)


def test_bytes_that_come_while_a_connection_is_idle_are_nobodys_reply() -> None:
    """A late second answer, or a 408 on the way out: it belongs to another caller, if to anyone."""

    async def script(connection: Connection) -> None:
        await connection.request()
        await connection.send(answer(b"{}"))
        await asyncio.sleep(0.02)
        await connection.send(answer(b'"of another caller"'))
        await connection.gone()

    async def use(http: Http, server: RawServer) -> tuple[list[bytes], int]:
        bodies = []
        for _ in range(2):
            bodies.append((await post(http, server.url)).body)
            await _until_spoilt(http)
        return bodies, len(server.connections)

    assert with_server(script, use) == ([b"{}", b"{}"], 2)


async def _until_spoilt(http: Http) -> None:
    """Until what the server did to the kept connection has come."""
    assert http._pool is not None
    kept = [protocol for connections in http._pool._conns.values() for protocol, _ in connections]
    async with asyncio.timeout(60):
        while not all(protocol.should_close for protocol in kept):  # noqa: ASYNC110  aiohttp has no event for it
            await asyncio.sleep(0.001)


def test_a_connection_on_which_a_request_is_not_all_sent_is_not_kept() -> None:
    """An upstream that refuses by the head alone has not read the body: the next request would stand behind it."""

    async def script(connection: Connection) -> None:
        await connection.request()
        await connection.send(answer(b"{}"))
        await connection.head()
        connection.read_no_more()
        await connection.send(answer(b"too large"))
        await asyncio.sleep(0.2)

    async def use(http: Http, server: RawServer) -> tuple[list[bytes], int]:
        bodies = [(await post(http, server.url)).body]
        _send_slowly(http)
        bodies.append((await post(http, server.url, b"x" * 120_000)).body)
        bodies.append((await post(http, server.url)).body)
        return bodies, len(server.connections)

    assert with_server(script, use) == ([b"{}", b"too large", b"{}"], 2)


def _send_slowly(http: Http) -> None:
    """The kept connection takes little at once, as one over a real network does."""
    assert http._pool is not None
    [[(protocol, _)]] = http._pool._conns.values()
    assert protocol.transport is not None
    protocol.transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)


def test_a_process_that_was_frozen_meanwhile_does_not_use_it_either() -> None:
    """A Lambda function sleeps between two calls: its loop has not run when the server hung up."""
    server_loop, client_loop = asyncio.new_event_loop(), asyncio.new_event_loop()

    async def script(connection: Connection) -> None:
        await connection.request()
        await connection.send(answer(b"{}"))
        connection.close()

    http = Http()
    statuses = []
    context = serving(script)
    server = server_loop.run_until_complete(context.__aenter__())
    for _ in range(3):
        call = client_loop.create_task(post(http, server.url))
        while not call.done():  # each loop runs alone, and the server's once more after the call
            client_loop.run_until_complete(asyncio.sleep(0))
            server_loop.run_until_complete(asyncio.sleep(0.001))
        statuses.append(call.result().status)
        server_loop.run_until_complete(asyncio.sleep(0.02))
    client_loop.run_until_complete(http.aclose())
    server_loop.run_until_complete(context.__aexit__(None, None, None))
    for loop in (client_loop, server_loop):
        loop.close()

    assert (statuses, len(server.connections)) == ([200, 200, 200], 3)


def test_a_connection_that_closes_as_it_is_used_is_a_failure_that_can_be_retried() -> None:
    """The race that no client wins. Whether the request was seen is not known, so the one who decides is above."""

    async def script(connection: Connection) -> None:
        await connection.request()
        await connection.send(answer(b"{}"))
        await connection.request()

    async def use(http: Http, server: RawServer) -> list[object]:
        return [await outcome(http, server.url) for _ in range(3)]

    whole = HttpAnswer(200, {"content-length": "2"}, b"{}")
    assert with_server(script, use) == [whole, (UpstreamFailed, BROKEN, True), whole]

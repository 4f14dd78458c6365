"""The HTTP client under the providers, against a server that does what upstreams do at their worst."""

import asyncio
import gc
import time
import warnings
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import TypeVar

import pytest

from megallm.errors import GatewayError, UpstreamFailed, UpstreamMisconfigured, UpstreamTimedOut
from megallm.providers.http import MAX_ANSWER_BYTES, Http, HttpAnswer
from tests.providers.authority import authority
from tests.providers.raw_server import Connection, RawServer, Script, answer, serving

ResultT = TypeVar("ResultT")

BROKEN = "The connection to the model's provider broke"
HEADERS = {"content-type": "application/json"}


def with_server(
    script: Script, use: Callable[[Http, RawServer], Awaitable[ResultT]], *, connect_seconds: float = 5.0
) -> ResultT:
    """What *use* gives, with a client and a server of its own."""

    async def run() -> ResultT:
        async with serving(script) as server:
            http = Http(connect_seconds=connect_seconds)
            try:
                return await use(http, server)
            finally:
                await http.aclose()

    return asyncio.run(run())


async def post(http: Http, url: str, body: bytes = b"{}") -> HttpAnswer:
    return await http.post(url, headers=HEADERS, body=body)


async def outcome(http: Http, url: str) -> HttpAnswer | tuple[type[GatewayError], str, bool]:
    try:
        return await post(http, url)
    except GatewayError as error:
        return type(error), error.message, error.retryable


def answering(*responses: bytes) -> Script:
    """A connection on which each request gets the next response, and one more is waited for."""

    async def script(connection: Connection) -> None:
        for response in responses:
            await connection.request()
            await connection.send(response)
        await connection.gone()

    return script


async def forever(connection: Connection) -> None:
    while True:
        await connection.request()
        await connection.send(answer(b"{}"))


def test_an_answer_is_its_status_headers_and_body() -> None:
    """Whatever the status: a refusal's body says why. Names of headers are in lower case."""
    response = b"HTTP/1.1 418 Teapot\r\nContent-Length: 2\r\nX-Request-ID: Abc\r\n\r\n{}"

    result = with_server(answering(response), lambda http, server: post(http, server.url))

    assert result == HttpAnswer(418, {"content-length": "2", "x-request-id": "Abc"}, b"{}")


def test_the_body_and_the_headers_go_out_as_they_are() -> None:
    """And no compression is asked for, which would hold events back and cost CPU."""

    async def use(http: Http, server: RawServer) -> tuple[str, bytes]:
        await http.post(
            f"{server.url}v1/x?api-version=1", headers={**HEADERS, "api-key": "k"}, body=b'{"a":"\xc3\xa4"}'
        )
        return server.heads[0], server.connections[0].bodies[0]

    head, body = with_server(forever, use)

    assert body == b'{"a":"\xc3\xa4"}'
    assert head.splitlines()[0] == "POST /v1/x?api-version=1 HTTP/1.1"
    assert sorted(line.lower() for line in head.splitlines()[2:] if line) == [
        "accept-encoding: identity",
        "accept: */*",
        "api-key: k",
        f"content-length: {len(body)}",
        "content-type: application/json",
        "user-agent: megallm",
    ]


def test_a_redirect_is_an_answer_and_not_followed() -> None:
    """The key would go to another host."""
    response = answer(status="307 Temporary Redirect", location="https://other.example.com/")

    result = with_server(answering(response), lambda http, server: post(http, server.url))

    assert result.status == 307


def test_cookies_are_not_kept() -> None:
    """One caller's call must not mark the next one's."""

    async def use(http: Http, server: RawServer) -> list[str]:
        for _ in range(2):
            await post(http, server.url)
        return server.heads

    heads = with_server(answering(*[answer(b"{}", set_cookie="session=1")] * 2), use)

    assert [head for head in heads if "cookie" in head.lower()] == []
    assert len(heads) == 2


def test_what_comes_at_once_is_one_piece_and_what_comes_later_another() -> None:
    """Nothing is held back, and nothing is cut smaller than it came."""

    async def script(connection: Connection) -> None:
        await connection.request()
        await connection.send(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n")
        for events in (["one"], ["two", "three", "four"], ["five"]):
            await proceed.acquire()
            await connection.send(b"".join(b"%x\r\n%b\r\n" % (len(event), event.encode()) for event in events))
        await proceed.acquire()
        await connection.send(b"0\r\n\r\n")
        await connection.gone()

    async def use(http: Http, server: RawServer) -> list[bytes]:
        pieces = []
        async with http.open(server.url, headers=HEADERS, body=b"{}") as opened:
            proceed.release()
            async for piece in opened.chunks():
                pieces.append(piece)
                proceed.release()
        return pieces

    proceed = asyncio.Semaphore(0)

    assert with_server(script, use) == [b"one", b"twothreefour", b"five"]


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

    async def use(http: Http, server: RawServer) -> float:
        call = asyncio.create_task(post(http, server.url))
        await waiting.wait()
        await asyncio.sleep(0.05)  # the client has read all that there is
        call.cancel()
        began = time.monotonic()
        with pytest.raises(asyncio.CancelledError):
            await call
        async with asyncio.timeout(5):
            await gone.wait()
        return time.monotonic() - began

    assert with_server(script, use) < 0.5


@pytest.mark.parametrize("ending", ["break", "error"])
def test_leaving_a_body_half_read_closes_the_connection(ending: str) -> None:
    """A stream that its reader gives up must not go on in the background, or feed the next call."""
    gone = asyncio.Event()

    async def script(connection: Connection) -> None:
        await connection.request()
        await connection.send(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n4\r\ndata\r\n")
        await connection.gone()
        gone.set()

    async def use(http: Http, server: RawServer) -> bool:
        with suppress(LookupError):
            async with http.open(server.url, headers=HEADERS, body=b"{}") as opened:
                async for _ in opened.chunks():
                    if ending == "error":
                        raise LookupError
                    break
        async with asyncio.timeout(5):
            await gone.wait()
        return gone.is_set()

    assert with_server(script, use)


async def _reset(connection: Connection) -> None:
    await connection.request()
    connection.reset()


async def _reset_in_the_body(connection: Connection) -> None:
    await connection.request()
    await connection.send(b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\n{")
    await asyncio.sleep(0.05)
    connection.reset()


async def _half_close(connection: Connection) -> None:
    await connection.request()
    connection.half_close()
    await connection.gone()


def _sending(data: bytes) -> Script:
    async def script(connection: Connection) -> None:
        await connection.request()
        await connection.send(data)

    return script


FAULTS: dict[str, Script] = {
    "hangs up": _sending(b""),
    "resets": _reset,
    "half-closes": _half_close,
    "resets in the body": _reset_in_the_body,
    "breaks off its length": _sending(answer(b"{}", content_length="3")),
    "breaks off a chunk": _sending(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\n{"),
    "leaves out the last chunk": _sending(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\n{}\r\n"),
    "breaks off its head": _sending(b"HTTP/1.1 200 OK\r\ncontent-le"),
    "speaks something else": _sending(b"SSH-2.0-OpenSSH_9.2\r\n\r\n"),
    "has a chunk of no size": _sending(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nxyz\r\n{}\r\n"),
    "has a line without an end": _sending(b"HTTP/1.1 200 OK\r\nx: " + b"y" * 70_000 + b"\r\n\r\n"),
    "lies about its compression": _sending(answer(b"{}", content_encoding="gzip")),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_broken_answer_is_an_upstreams_failure(fault: str) -> None:
    """Never half an answer as if it were whole, and nothing of the exception's text, which names hosts and ports."""
    result = with_server(FAULTS[fault], lambda http, server: outcome(http, server.url))

    assert result == (UpstreamFailed, BROKEN, True)


def test_an_answer_of_more_than_64_mb_is_given_up() -> None:
    """An endless one would take all memory."""
    sent = 0

    async def script(connection: Connection) -> None:
        nonlocal sent
        await connection.request()
        await connection.send(b"HTTP/1.1 200 OK\r\n\r\n")
        while sent < 2 * MAX_ANSWER_BYTES:
            await connection.send(bytes(1_000_000))
            sent += 1_000_000

    result = with_server(script, lambda http, server: outcome(http, server.url))

    assert result == (UpstreamFailed, "The model's provider sent more than can be an answer", True)
    assert sent < MAX_ANSWER_BYTES + 32_000_000


def test_a_port_where_nobody_listens_is_told_as_that() -> None:
    """Without its address."""

    async def use(http: Http, server: RawServer) -> HttpAnswer | tuple[type[GatewayError], str, bool]:
        async with serving(forever) as other:
            url = other.url
        return await outcome(http, url)

    assert with_server(forever, use) == (UpstreamFailed, "The model's provider cannot be reached", True)


def test_a_host_that_does_not_exist_is_told_as_the_same() -> None:
    """*.invalid never does."""
    result = with_server(forever, lambda http, server: outcome(http, "http://upstream.invalid/"))

    assert result == (UpstreamFailed, "The model's provider cannot be reached", True)


def test_a_connection_that_is_never_made_has_a_limit() -> None:
    """Here one whose TLS handshake is not answered; a name that is not resolved counts as well."""

    async def script(connection: Connection) -> None:
        await connection.gone()

    async def use(http: Http, server: RawServer) -> HttpAnswer | tuple[type[GatewayError], str, bool]:
        async with asyncio.timeout(5):
            return await outcome(http, server.url.replace("http:", "https:"))

    result = with_server(script, use, connect_seconds=0.2)

    assert result == (UpstreamTimedOut, "The model's provider could not be reached in time", True)


def test_a_certificate_that_is_not_trusted_is_not_accepted() -> None:
    """The key is sent after the handshake: never to an impostor."""

    async def run() -> tuple[object, list[str]]:
        async with serving(forever, tls=authority().certified("localhost")) as server:
            http = Http()
            result = await outcome(http, f"https://localhost:{server.port}/")
            await http.aclose()
            return result, server.heads

    assert asyncio.run(run()) == ((UpstreamFailed, "The model's provider cannot be reached", True), [])


@pytest.mark.parametrize(
    ("url", "headers"),
    [
        ("upstream.example.com/v1", {}),
        ("ftp://upstream.example.com/v1", {}),
        ("http:///v1", {}),
        ("http://127.0.0.1:99999/v1", {}),
        ("", {"authorization": "Bearer key\n"}),
    ],
)
def test_a_url_or_a_key_that_cannot_be_sent_is_the_operators_mistake(url: str, headers: dict[str, str]) -> None:
    """No retry mends it: a secret with a line end behind it is the usual one."""

    async def use(http: Http, server: RawServer) -> object:
        with pytest.raises(UpstreamMisconfigured) as caught:
            await http.post(url or server.url, headers=headers, body=b"{}")
        return caught.value.message

    assert with_server(forever, use) == "The gateway is not set up right for this model's provider"


def test_proxies_of_the_environment_are_used_only_if_that_is_switched_on(monkeypatch: pytest.MonkeyPatch) -> None:
    """Prompts do not go to whoever once set a variable."""
    for name in ("HTTP_PROXY", "http_proxy"):
        monkeypatch.delenv(name, raising=False)
    for name in ("NO_PROXY", "no_proxy"):
        monkeypatch.setenv(name, "")

    async def run(use_proxies: bool) -> tuple[int, int]:
        async with serving(forever) as proxy, serving(forever) as server:
            monkeypatch.setenv("http_proxy", proxy.url)
            http = Http(use_proxies=use_proxies)
            await post(http, server.url)
            await http.aclose()
            return len(proxy.connections), len(server.connections)

    assert (asyncio.run(run(False)), asyncio.run(run(True))) == ((0, 1), (1, 0))


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
            await asyncio.sleep(0.02)
        return statuses, len(server.connections)

    assert with_server(script, use) == ([200, 200, 200], 3)


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


def test_a_get_has_no_body() -> None:
    """For lists of models and health."""

    async def use(http: Http, server: RawServer) -> str:
        async with http.open(f"{server.url}v1/models", headers={}, body=b"", method="GET") as opened:
            await opened.read()
        return server.heads[0]

    head = with_server(forever, use)

    assert head.startswith("GET /v1/models HTTP/1.1\r\n")
    assert "content-length" not in head.lower()

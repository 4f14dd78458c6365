"""The HTTP client against servers at their worst, and against none."""

import asyncio
import socket
from typing import Any

import pytest

from megallm.errors import GatewayError, UpstreamFailed, UpstreamMisconfigured, UpstreamTimedOut
from megallm.providers.http import MAX_ANSWER_BYTES, Http, HttpAnswer
from tests.providers.authority import authority
from tests.providers.http_calls import BROKEN, HEADERS, forever, outcome, with_server
from tests.providers.raw_server import Connection, RawServer, Script, answer, serving


@pytest.mark.parametrize("ending", ["refuses", "hangs up"])
def test_an_upstream_that_answers_before_it_has_read_a_large_body_is_heard(ending: str) -> None:
    """As servers do that refuse its size, or its key, by the head alone."""

    async def script(connection: Connection) -> None:
        await connection.head()
        if ending == "refuses":
            await connection.send(answer(b"too large", status="413 Content Too Large"))
            await connection.gone()

    async def use(http: Http, server: RawServer) -> HttpAnswer | tuple[type[GatewayError], str, bool]:
        try:
            return await http.post(server.url, headers=HEADERS, body=bytes(20_000_000))
        except GatewayError as error:
            return type(error), error.message, error.retryable

    refused = HttpAnswer(413, {"content-length": "9"}, b"too large")
    assert with_server(script, use) == (refused if ending == "refuses" else (UpstreamFailed, BROKEN, True))


def test_an_upstream_that_breaks_off_an_early_answer_has_failed() -> None:
    """The rest of the large body has nowhere to go by then."""

    async def script(connection: Connection) -> None:
        await connection.head()
        await connection.send(b"HTTP/1.1 413 Content Too Large\r\ncontent-length: 100\r\n\r\n{")
        await asyncio.sleep(0.05)
        connection.reset()

    async def use(http: Http, server: RawServer) -> int:
        async with http.open(server.url, headers=HEADERS, body=bytes(20_000_000)) as opened:
            await asyncio.sleep(0.1)
            with pytest.raises(UpstreamFailed):
                await opened.read()
            return opened.status

    assert with_server(script, use) == 413


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


CHUNKED = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n"


def _sending_apart(*pieces: bytes) -> Script:
    """Each comes by itself; afterwards the connection stays open, so that nothing but its bytes tells of the end."""

    async def script(connection: Connection) -> None:
        await connection.request()
        for piece in pieces:
            await connection.send(piece)
            await asyncio.sleep(0.05)
        await connection.gone()

    return script


FAULTS: dict[str, Script] = {
    "hangs up": _sending(b""),
    "resets": _reset,
    "half-closes": _half_close,
    "resets in the body": _reset_in_the_body,
    "breaks off its length": _sending(answer(b"{}", content_length="3")),
    "breaks off a chunk": _sending(CHUNKED + b"5\r\n{"),
    "leaves out the last chunk": _sending(CHUNKED + b"2\r\n{}\r\n"),
    "breaks off its head": _sending(b"HTTP/1.1 200 OK\r\ncontent-le"),
    "speaks something else": _sending(b"SSH-2.0-OpenSSH_9.2\r\n\r\n"),
    "has a chunk of no size": _sending(CHUNKED + b"xyz\r\n{}\r\n"),
    "has a chunk of no size behind its head": _sending_apart(CHUNKED, b"xyz\r\n{}\r\n"),
    "has a chunk of no size behind another": _sending_apart(CHUNKED + b"1\r\n{\r\n", b"xyz\r\n}\r\n"),
    "has a chunk that is longer than it says": _sending_apart(CHUNKED + b"1\r\n{", b"}\r\n0\r\n\r\n"),
    "has a line without an end": _sending(b"HTTP/1.1 200 OK\r\nx: " + b"y" * 70_000 + b"\r\n\r\n"),
    "lies about its compression": _sending(answer(b"{}", content_encoding="gzip")),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_broken_answer_is_an_upstreams_failure(fault: str) -> None:
    """Never half an answer as if it were whole, and nothing of the exception's text, which names hosts and ports."""
    result = with_server(FAULTS[fault], lambda http, server: outcome(http, server.url))

    assert result == (UpstreamFailed, BROKEN, True)


def test_a_stream_that_stops_being_http_breaks_where_it_does() -> None:
    """What came before was given out; its reader does not wait for what will never come (C28)."""

    async def use(http: Http, server: RawServer) -> bytes:
        async with http.open(server.url, headers=HEADERS, body=b"{}") as opened:
            chunks = opened.chunks()
            given = await anext(chunks)
            with pytest.raises(UpstreamFailed):
                await anext(chunks)
        return given

    assert with_server(_sending_apart(CHUNKED + b"5\r\nhello\r\n", b"xyz\r\n"), use) == b"hello"


def test_a_key_beside_a_urls_name_and_password_is_the_operators_mistake() -> None:
    """One of the two would have to give way in silence."""

    async def use(http: Http, server: RawServer) -> None:
        url = server.url.replace("://", "://name:word@")
        with pytest.raises(UpstreamMisconfigured):
            await http.post(url, headers={"Authorization": "Bearer key"}, body=b"{}")

    with_server(forever, use)


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
        with socket.socket() as held:  # bound, so that nobody else gets the port meanwhile
            held.bind(("127.0.0.1", 0))
            return await outcome(http, f"http://127.0.0.1:{held.getsockname()[1]}/")

    assert with_server(forever, use) == (UpstreamFailed, "The model's provider cannot be reached", True)


def test_a_host_that_does_not_exist_is_told_as_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    """The resolver says so; that of the machine is not asked, which may take its time for it."""
    resolve = socket.getaddrinfo

    def refuse(host: str | None, *arguments: Any, **options: Any) -> Any:  # Any: as the standard library has it
        if host == "upstream.invalid":
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
        return resolve(host, *arguments, **options)

    monkeypatch.setattr(socket, "getaddrinfo", refuse)

    result = with_server(forever, lambda http, server: outcome(http, "http://upstream.invalid/"))

    assert result == (UpstreamFailed, "The model's provider cannot be reached", True)


def test_a_connection_that_is_never_made_has_a_limit() -> None:
    """Here one whose TLS handshake is not answered; a name that is not resolved counts as well."""

    async def script(connection: Connection) -> None:
        await connection.gone()

    async def use(http: Http, server: RawServer) -> HttpAnswer | tuple[type[GatewayError], str, bool]:
        async with asyncio.timeout(60):
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
        *(("", {"authorization": f"Bearer key{control}"}) for control in "\x00\r\x0b\x1b\x7f"),
    ],
)
def test_a_url_or_a_key_that_cannot_be_sent_is_the_operators_mistake(url: str, headers: dict[str, str]) -> None:
    """No retry mends it: a secret with a line end behind it is the usual one."""

    async def use(http: Http, server: RawServer) -> object:
        with pytest.raises(UpstreamMisconfigured) as caught:
            await http.post(url or server.url, headers=headers, body=b"{}")
        return caught.value.message

    assert with_server(forever, use) == "The gateway is not set up right for this model's provider"

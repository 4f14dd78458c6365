"""The HTTP client under the providers: what goes out, and what comes back."""

import asyncio

import pytest

from megallm.providers.http import Http, HttpAnswer
from tests.providers.http_calls import HEADERS, answering, forever, post, with_server
from tests.providers.raw_server import Connection, RawServer, answer, serving


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


def test_the_callers_headers_stand_over_ours() -> None:
    """In whatever case they are written: a signed request names its own host."""

    async def use(http: Http, server: RawServer) -> str:
        await http.post(server.url, headers={"Host": "signed.example.com", "User-Agent": "x"}, body=b"{}")
        return server.heads[0]

    lines = with_server(forever, use).lower().splitlines()

    assert [line for line in lines if line.startswith(("host", "user-agent"))] == [
        "host: signed.example.com",
        "user-agent: x",
    ]


def test_a_url_may_hold_a_name_and_a_password() -> None:
    """They go into a header, and nowhere else."""

    async def use(http: Http, server: RawServer) -> str:
        await post(http, server.url.replace("127.0.0.1", "me:secret@127.0.0.1"))
        return server.heads[0]

    head = with_server(forever, use)

    assert "authorization: Basic bWU6c2VjcmV0" in head
    assert "secret" not in head


def test_interim_responses_are_passed_over() -> None:
    """Whatever a proxy says before the answer."""
    interim = b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nlink: </x>\r\n\r\n"

    result = with_server(answering(interim + answer(b"{}")), lambda http, server: post(http, server.url))

    assert result == HttpAnswer(200, {"content-length": "2"}, b"{}")


@pytest.mark.parametrize("size", [128 * 1024, 128 * 1024 + 1, 5_000_003])
def test_a_large_body_arrives_whole(size: int) -> None:
    """Conversations with images have megabytes; nothing warns of them either, for warnings are errors here."""
    body = bytes(range(256)) * (size // 256) + b"x" * (size % 256)

    async def use(http: Http, server: RawServer) -> list[bytes]:
        for _ in range(2):
            await http.post(server.url, headers=HEADERS, body=body)
        return server.connections[0].bodies

    assert with_server(forever, use) == [body, body]


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


def test_where_the_environment_has_no_proxy_none_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is switched on for a whole deployment, and some upstreams are near."""
    monkeypatch.setenv("no_proxy", "127.0.0.1")

    async def run() -> int:
        async with serving(forever) as server:
            http = Http(use_proxies=True)
            await post(http, server.url)
            await http.aclose()
            return len(server.connections)

    assert asyncio.run(run()) == 1

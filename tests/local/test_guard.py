"""Which requests a server on someone's laptop answers."""

import asyncio
import json
from collections.abc import Iterable

import pytest
from starlette.types import Message, Receive, Scope, Send

from megallm.local.guard import LocalOnly, LocalOnlyWsgi, refusal

PORT = 4141
FOREIGN_HOST = "This server answers only to requests whose one Host header is localhost:4141 or 127.0.0.1:4141."
FOREIGN_ORIGIN = "This server does not answer web pages of another origin."
FOREIGN_SITE = "This server does not answer requests that another web site caused."


@pytest.mark.parametrize("host", ["localhost:4141", "127.0.0.1:4141", "[::1]:4141", "LocalHost:4141"])
def test_a_request_to_a_name_of_this_machine_is_answered(host: str) -> None:
    """The three names of the loopback interface, with the server's own port, are the only hosts."""
    assert refusal(port=PORT, hosts=[host], origins=[], fetch_sites=[]) is None


@pytest.mark.parametrize(
    "hosts",
    [
        [],
        [""],
        ["evil.example:4141"],
        ["localhost"],
        ["localhost:4142"],
        ["localhost.evil.example:4141"],
        ["evil.example@localhost:4141"],
        ["localhost:4141,evil.example"],
        ["localhost:4141", "localhost:4141"],
        ["localhost:4141", "evil.example"],
        ["0.0.0.0:4141"],
    ],
)
def test_a_foreign_missing_or_repeated_host_is_refused(hosts: list[str]) -> None:
    """A name that was rebound to 127.0.0.1 still shows in Host."""
    assert refusal(port=PORT, hosts=hosts, origins=[], fetch_sites=[]) == FOREIGN_HOST


@pytest.mark.parametrize("origin", ["http://localhost:4141", "http://127.0.0.1:4141", "http://[::1]:4141"])
def test_the_servers_own_pages_are_answered(origin: str) -> None:
    """The OpenAPI page sends requests from its own origin."""
    assert refusal(port=PORT, hosts=["localhost:4141"], origins=[origin], fetch_sites=["same-origin"]) is None


@pytest.mark.parametrize(
    "origins",
    [
        ["null"],
        [""],
        ["https://evil.example"],
        ["http://evil.example:4141"],
        ["http://localhost:3000"],
        ["https://localhost:4141"],
        ["http://localhost"],
        ["http://localhost:4141", "https://evil.example"],
        ["http://localhost:4141.evil.example"],
    ],
)
def test_a_page_of_another_origin_is_refused(origins: list[str]) -> None:
    """A sandboxed frame (`null`) and another port of this machine are other origins too."""
    assert refusal(port=PORT, hosts=["localhost:4141"], origins=origins, fetch_sites=[]) == FOREIGN_ORIGIN


@pytest.mark.parametrize("site", ["cross-site", "same-site", ""])
def test_a_request_that_another_site_caused_is_refused_without_an_origin_too(site: str) -> None:
    """Images, scripts and links of a page carry no Origin, but the browser says whose they are."""
    assert refusal(port=PORT, hosts=["localhost:4141"], origins=[], fetch_sites=[site]) == FOREIGN_SITE


def test_an_address_typed_into_the_browser_is_answered() -> None:
    """Opening /docs by hand is `none`."""
    assert refusal(port=PORT, hosts=["localhost:4141"], origins=[], fetch_sites=["none"]) is None


def test_on_port_80_the_host_may_leave_the_port_out() -> None:
    """HTTP clients do not write the default port."""
    assert refusal(port=80, hosts=["localhost"], origins=["http://localhost"], fetch_sites=[]) is None


def asgi_scope(*headers: tuple[str, str], kind: str = "http", peer: str | None = "127.0.0.1") -> Scope:
    """An ASGI scope with these headers from this peer."""
    encoded = [(name.encode(), value.encode()) for name, value in headers]
    return {"type": kind, "headers": encoded, "client": None if peer is None else (peer, 50000)}


def asgi_messages(scope: Scope) -> list[Message]:
    """What the guard, or the application behind it, sends."""
    sent: list[Message] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "answered"})

    async def receive() -> Message:
        raise AssertionError("the guard reads no body")

    async def send(message: Message) -> None:
        sent.append(message)

    asyncio.run(LocalOnly(app, port=PORT, request_id=lambda: "req_1")(scope, receive, send))
    return sent


def refused_body(message: str) -> bytes:
    """The documented error."""
    error = {"type": "permission_error", "message": message}
    return json.dumps({"type": "error", "error": error, "request_id": "req_1"}).encode()


def test_an_asgi_refusal_is_the_documented_error_without_any_cors_header() -> None:
    """The id of the header stands in the body too."""
    body = refused_body(FOREIGN_ORIGIN)

    sent = asgi_messages(asgi_scope(("host", "localhost:4141"), ("origin", "https://evil.example")))

    assert sent == [
        {
            "type": "http.response.start",
            "status": 403,
            "headers": [
                (b"content-type", b"application/json"),
                (b"content-length", str(len(body)).encode()),
                (b"request-id", b"req_1"),
            ],
        },
        {"type": "http.response.body", "body": body},
    ]


def test_an_asgi_request_from_this_machine_reaches_the_application() -> None:
    """An SDK sends neither Origin nor Sec-Fetch-Site."""
    assert asgi_messages(asgi_scope(("host", "localhost:4141"))) == [{"type": "answered"}]


@pytest.mark.parametrize("peer", ["192.0.2.7", "testclient", None])
def test_an_asgi_peer_beyond_the_loopback_interface_is_refused(peer: str | None) -> None:
    """Anonymous use rests on it, whatever address the server is bound to."""
    sent = asgi_messages(asgi_scope(("host", "localhost:4141"), peer=peer))

    assert sent[1:] == [
        {"type": "http.response.body", "body": refused_body("This server answers only to this machine.")}
    ]


def test_a_repeated_host_of_an_asgi_request_is_refused() -> None:
    """Which of two a later part would read is anybody's guess."""
    sent = asgi_messages(asgi_scope(("host", "localhost:4141"), ("host", "evil.example")))

    assert sent[1:] == [{"type": "http.response.body", "body": refused_body(FOREIGN_HOST)}]


def test_a_websocket_from_a_foreign_page_is_closed() -> None:
    """WebSockets know no same-origin policy: the server has to have one."""
    scope = asgi_scope(("host", "localhost:4141"), ("origin", "https://evil.example"), kind="websocket")

    assert asgi_messages(scope) == [{"type": "websocket.close", "code": 1008}]


def test_the_lifespan_passes() -> None:
    """It has no headers."""
    assert asgi_messages({"type": "lifespan"}) == [{"type": "answered"}]


def wsgi_answer(**environ: str) -> tuple[str, list[tuple[str, str]], list[bytes]]:
    """Status, headers and body of the guard, or of the application behind it."""
    started: list[tuple[str, list[tuple[str, str]]]] = []

    def start_response(status: str, headers: list[tuple[str, str]], exc_info: object = None) -> object:
        started.append((status, headers))
        return lambda data: None

    def app(environ: object, start_response: object) -> Iterable[bytes]:
        started.append(("answered", []))
        return [b""]

    guarded = LocalOnlyWsgi(app, port=PORT, request_id=lambda: "req_1")
    body = list(guarded(environ, start_response))  # type: ignore[arg-type]  # the least that WSGI asks for
    return (*started[0], body)


@pytest.mark.parametrize(
    ("environ", "message"),
    [
        ({}, FOREIGN_HOST),
        ({"HTTP_HOST": "evil.example"}, FOREIGN_HOST),
        ({"HTTP_HOST": "localhost:4141,localhost:4141"}, FOREIGN_HOST),
        ({"HTTP_HOST": "localhost:4141", "HTTP_ORIGIN": "null"}, FOREIGN_ORIGIN),
        ({"HTTP_HOST": "localhost:4141", "HTTP_SEC_FETCH_SITE": "cross-site"}, FOREIGN_SITE),
    ],
)
def test_a_wsgi_refusal_is_the_same_error_and_closes_the_connection(environ: dict[str, str], message: str) -> None:
    """The request's body stays unread, so nothing else can follow on the connection."""
    body = refused_body(message)

    answer = wsgi_answer(**environ)

    assert answer == (
        "403 Forbidden",
        [
            ("Content-Type", "application/json"),
            ("Content-Length", str(len(body))),
            ("request-id", "req_1"),
            ("Connection", "close"),
        ],
        [body],
    )


def test_a_wsgi_request_from_this_machine_reaches_the_application() -> None:
    """boto3 sends a Host and nothing of a browser."""
    assert wsgi_answer(HTTP_HOST="127.0.0.1:4141") == ("answered", [], [b""])

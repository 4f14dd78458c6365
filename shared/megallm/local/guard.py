"""Which HTTP requests a server on someone's laptop answers: only those that this machine made on purpose.

Any web page that its owner opens can send requests to 127.0.0.1. Three headers that a page cannot forge
tell it apart: ``Host`` (a rebound DNS name still shows here), ``Origin`` and ``Sec-Fetch-Site``. A refusal
carries no CORS header, so the page learns nothing. Must not know what stands behind it.
"""

import ipaddress
import json
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING

from starlette.types import ASGIApp, Receive, Scope, Send

from megallm.errors import PermissionDenied, envelope
from megallm.identifiers import new_request_id

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

LOCAL_NAMES = ("localhost", "127.0.0.1", "[::1]")


def refusal(*, port: int, hosts: Sequence[str], origins: Sequence[str], fetch_sites: Sequence[str]) -> str | None:
    """Says why a request must not be answered on this port; None where it may be.

    Each header comes as all the values it has in the request, so that a missing and a repeated one can be seen.
    """
    authorities = {f"{name}:{port}" for name in LOCAL_NAMES}
    if port == 80:
        authorities |= set(LOCAL_NAMES)
    if len(hosts) != 1 or hosts[0].lower() not in authorities:
        return f"This server answers only to requests whose one Host header is localhost:{port} or 127.0.0.1:{port}."
    if any(origin.lower() not in {f"http://{authority}" for authority in authorities} for origin in origins):
        return "This server does not answer web pages of another origin."
    # `same-site` is another port of this machine: another origin. `none` is an address typed by the user.
    if any(site.lower() not in {"same-origin", "none"} for site in fetch_sites):
        return "This server does not answer requests that another web site caused."
    return None


def is_loopback(address: str | None) -> bool:
    """Tells whether a peer's IP address belongs to this machine alone."""
    if address is None:
        return False
    try:
        return ipaddress.ip_address(address).is_loopback
    except ValueError:
        return False


def peer_is_loopback(scope: Scope) -> bool:
    """Tells whether an ASGI request came over the loopback interface."""
    client = scope.get("client")
    return is_loopback(client[0] if client else None)


def refusal_body(reason: str, request_id: str) -> bytes:
    """The documented 403."""
    return json.dumps(envelope(PermissionDenied(reason), request_id)).encode()


class LocalOnly:
    """An ASGI application behind the guard: what passes came from this machine, to this machine's own name.

    That is what anonymous use rests on, so a peer beyond the loopback interface is refused here as well.
    """

    def __init__(self, app: ASGIApp, *, port: int, request_id: Callable[[], str] = new_request_id) -> None:
        self._app = app
        self._port = port
        self._request_id = request_id

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        reason = self._refusal(scope)
        if reason is None:
            await self._app(scope, receive, send)
        elif scope["type"] == "websocket":
            await send({"type": "websocket.close", "code": 1008})
        else:
            await self._refuse(reason, send)

    def _refusal(self, scope: Scope) -> str | None:
        if not peer_is_loopback(scope):
            return "This server answers only to this machine."
        headers: Iterable[tuple[bytes, bytes]] = scope["headers"]
        values: dict[bytes, list[str]] = {b"host": [], b"origin": [], b"sec-fetch-site": []}
        for name, value in headers:
            if name.lower() in values:
                values[name.lower()].append(value.decode("latin-1"))
        return refusal(
            port=self._port, hosts=values[b"host"], origins=values[b"origin"], fetch_sites=values[b"sec-fetch-site"]
        )

    async def _refuse(self, reason: str, send: Send) -> None:
        request_id = self._request_id()
        body = refusal_body(reason, request_id)
        headers = [
            (b"content-type", b"application/json"),
            (b"content-length", str(len(body)).encode()),
            (b"request-id", request_id.encode()),
        ]
        await send({"type": "http.response.start", "status": 403, "headers": headers})
        await send({"type": "http.response.body", "body": body})


class LocalOnlyWsgi:
    """A WSGI application behind the same guard."""

    def __init__(self, app: "WSGIApplication", *, port: int, request_id: Callable[[], str] = new_request_id) -> None:
        self._app = app
        self._port = port
        self._request_id = request_id

    def __call__(self, environ: "WSGIEnvironment", start_response: "StartResponse") -> Iterable[bytes]:
        # WSGI joins a repeated header with commas, which no allowed value has.
        hosts, origins, sites = (
            [environ[key]] if key in environ else [] for key in ("HTTP_HOST", "HTTP_ORIGIN", "HTTP_SEC_FETCH_SITE")
        )
        reason = refusal(port=self._port, hosts=hosts, origins=origins, fetch_sites=sites)
        if reason is None:
            return self._app(environ, start_response)
        request_id = self._request_id()
        body = refusal_body(reason, request_id)
        headers = [
            ("Content-Type", "application/json"),
            ("Content-Length", str(len(body))),
            ("request-id", request_id),
            # The request's body was not read: the connection cannot carry another request.
            ("Connection", "close"),
        ]
        start_response("403 Forbidden", headers)
        return [body]

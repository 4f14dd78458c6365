"""The uvicorn side: the settings of the HTTP server, for a laptop and for a container alike.

Who may connect is not decided here.
"""

import asyncio
import signal
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, cast

import uvicorn
from pydantic_core import to_json
from starlette.types import ASGIApp
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle

from functions.api.gathering import GatheringTransport
from megallm.errors import InvalidRequest, envelope
from megallm.identifiers import new_request_id
from megallm.telemetry import log

CANCELLED_SECONDS = 2.0


class Protocol(HttpToolsProtocol):
    """uvicorn's HTTP/1.1, whose own refusal has the documented shape too: bytes that are no HTTP reach no app."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn has it
        super().connection_made(transport)
        self._gathering = GatheringTransport(transport, self.loop)
        self.transport = cast(asyncio.Transport, self._gathering)

    def eof_received(self) -> None:
        """The client sends no more, and may still read: asyncio closes the connection after this."""
        super().eof_received()
        self._gathering.flush()

    def send_400_response(self, msg: str) -> None:
        """Says what is wrong and closes; where a reply is under way, which more bytes would spoil, only the latter."""
        request_id = new_request_id()
        log("unreadable_request", {"request_id": request_id})
        cycle: RequestResponseCycle | Any = self.cycle  # None before the first request, against uvicorn's annotation
        if not self.pipeline and (cycle is None or cycle.response_complete or not cycle.response_started):
            body = to_json(envelope(InvalidRequest("This is not an HTTP/1.1 request"), request_id))
            head = (
                "HTTP/1.1 400 Bad Request",
                "content-type: application/json",
                f"content-length: {len(body)}",
                f"request-id: {request_id}",
                "x-should-retry: false",
                "connection: close",
            )
            self.transport.write("\r\n".join((*head, "", "")).encode() + body)
        self.transport.close()


class Server(uvicorn.Server):
    """uvicorn's server, which says when it answers, and lets cancelled requests end in order.

    ``stopped_busy`` tells afterwards whether requests were running when it was told to stop.
    """

    def __init__(self, config: uvicorn.Config, on_started: Callable[[], None]) -> None:
        super().__init__(config)
        self._on_started = on_started
        self.stopped_busy = False

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Also SIGHUP, which a closed terminal sends, unless it is ignored, as under nohup."""
        with super().capture_signals():
            main = threading.current_thread() is threading.main_thread()
            if not main or signal.getsignal(signal.SIGHUP) == signal.SIG_IGN:
                yield
                return
            before = signal.signal(signal.SIGHUP, self.handle_exit)
            try:
                yield
            finally:  # Before uvicorn hands on what it took: then the handler of whoever started the server has it.
                signal.signal(signal.SIGHUP, before)

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets=sockets)
        if self.started:
            self._on_started()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        self.stopped_busy = bool(self.server_state.tasks)
        await super().shutdown(sockets=sockets)
        if self.server_state.tasks:
            # uvicorn cancels what still runs and waits no longer; but it has to tell its clients and its upstreams.
            await asyncio.wait(self.server_state.tasks, timeout=CANCELLED_SECONDS)


def build_server(
    app: ASGIApp, *, host: str, port: int, stop_seconds: int = 1, on_started: Callable[[], None] = lambda: None
) -> Server:
    """A server that is ready for ``await server.serve()``.

    Told to stop, it lets running requests end for *stop_seconds* and then cancels them, streams included.
    """
    config = uvicorn.Config(
        app,
        host=host,
        port=port,
        http=Protocol,
        ws="none",  # The API has no WebSockets, and an upgrade would be one more way in.
        log_config=None,  # The application's own logging stays as it is ...
        access_log=False,  # ... and has its own line for each request.
        server_header=False,
        proxy_headers=False,  # X-Forwarded-For must not make a far peer look near.
        timeout_keep_alive=65,  # Longer than clients keep idle connections, so that they, not we, close them.
        timeout_graceful_shutdown=stop_seconds,
    )
    return Server(config, on_started)

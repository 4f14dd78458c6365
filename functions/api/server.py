"""The uvicorn side: the settings of the HTTP server, for a laptop and for a container alike.

Who may connect is not decided here.
"""

import asyncio
import socket
from collections.abc import Callable

import uvicorn
from starlette.types import ASGIApp

CANCELLED_SECONDS = 2.0


class Server(uvicorn.Server):
    """uvicorn's server, which says when it answers, and lets cancelled requests end in order."""

    def __init__(self, config: uvicorn.Config, on_started: Callable[[], None]) -> None:
        super().__init__(config)
        self._on_started = on_started

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets=sockets)
        if self.started:
            self._on_started()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
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
        ws="none",  # The API has no WebSockets, and an upgrade would be one more way in.
        log_config=None,  # The application's own logging stays as it is ...
        access_log=False,  # ... and has its own line for each request.
        server_header=False,
        proxy_headers=False,  # X-Forwarded-For must not make a far peer look near.
        timeout_keep_alive=65,  # Longer than clients keep idle connections, so that they, not we, close them.
        timeout_graceful_shutdown=stop_seconds,
    )
    return Server(config, on_started)

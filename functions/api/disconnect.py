"""How a request ends from outside: its client goes away (contract C30), or the server stops."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from starlette.types import Receive

from megallm.errors import GatewayError, UpstreamOverloaded

# Most requests of a stubbed or cached upstream end before this, and are spared the watching task.
WATCH_AFTER_SECONDS = 0.05


class ClientGone(Exception):
    """The client closed the connection before its response was whole."""


def stopping() -> GatewayError:
    """Takes note of the server's cancelling this request, and gives the error that its client is told instead.

    It is one that the SDKs retry: whoever answers next, this call was not completed.
    """
    work = asyncio.current_task()
    assert work is not None
    work.uncancel()
    return UpstreamOverloaded("The gateway is being stopped; send the request again")


@asynccontextmanager
async def watching(receive: Receive) -> AsyncIterator[None]:
    """Cancels the block when the client disconnects, and raises ClientGone in place of the cancellation.

    The request's body must have been read. Under a buffered Lambda no disconnect is ever seen.
    """
    work = asyncio.current_task()
    assert work is not None
    gone = False
    watcher: asyncio.Task[None] | None = None

    async def watch() -> None:
        nonlocal gone
        while (await receive())["type"] != "http.disconnect":
            pass
        gone = True
        work.cancel()

    def begin() -> None:
        nonlocal watcher
        watcher = asyncio.get_running_loop().create_task(watch())

    timer = asyncio.get_running_loop().call_later(WATCH_AFTER_SECONDS, begin)
    try:
        yield
    except asyncio.CancelledError:
        if not gone:
            raise
        work.uncancel()
        raise ClientGone from None
    finally:
        timer.cancel()
        if watcher is not None:
            watcher.cancel()

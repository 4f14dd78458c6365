"""How a request ends from outside: its client goes away (contract C30), or the server stops."""

import asyncio
from types import TracebackType

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


class watching:  # noqa: N801  it reads as a statement: async with watching(receive)
    """Cancels its block when the client disconnects, and raises ClientGone in place of the cancellation.

    The request's body must have been read. Under a buffered Lambda no disconnect is ever seen.
    """

    def __init__(self, receive: Receive) -> None:
        self._receive = receive
        self._gone = False
        self._watcher: asyncio.Task[None] | None = None

    async def __aenter__(self) -> None:
        work = asyncio.current_task()
        assert work is not None
        self._work = work
        self._timer = asyncio.get_running_loop().call_later(WATCH_AFTER_SECONDS, self._begin)

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._timer.cancel()
        if self._watcher is not None:
            self._watcher.cancel()
        if self._gone and kind is asyncio.CancelledError:
            self._work.uncancel()
            raise ClientGone from None

    def _begin(self) -> None:
        self._watcher = asyncio.get_running_loop().create_task(self._watch())

    async def _watch(self) -> None:
        while (await self._receive())["type"] != "http.disconnect":
            pass
        self._gone = True
        self._work.cancel()

"""aiohttp's pool, with connections that tell a body's reader when what comes is no HTTP any more.

aiohttp tells that only to who waits for a head: the reader of a body would wait for ever, its own session's too.
"""

from asyncio import AbstractEventLoop
from functools import partial
from typing import Any

import aiohttp
from aiohttp.client_proto import ResponseHandler

_IDLE_SECONDS = 50.0  # less than most servers and load balancers keep a connection open


class Pool(aiohttp.TCPConnector):
    """Connections without a limit to their number, kept for the next call."""

    def __init__(self, loop: AbstractEventLoop) -> None:
        super().__init__(limit=0, keepalive_timeout=_IDLE_SECONDS)
        protocol: type[ResponseHandler] = _Protocol
        self._factory = partial(protocol, loop=loop)


class _Protocol(ResponseHandler):
    def set_exception(self, exc: BaseException, *cause: Any) -> None:  # Any: aiohttp's mark for "none"
        body = self._payload
        super().set_exception(exc, *cause)
        if body is not None and not body.is_eof() and body.exception() is None:
            body.set_exception(exc, *cause)

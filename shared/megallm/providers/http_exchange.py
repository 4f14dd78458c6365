"""One POST over a connection of aiohttp's pool, and its response.

aiohttp makes and keeps the connections, TLS and proxies included, and parses what comes. Its session, request and
response objects are left out, and so is its task for each body: they cost a third of a whole call.
"""

import asyncio
import re
from collections.abc import Mapping
from contextlib import suppress
from typing import Self

import aiohttp
from aiohttp.client_proto import ResponseHandler
from aiohttp.connector import Connection
from aiohttp.helpers import get_env_proxy_for_url, strip_auth_from_url
from aiohttp.http import StreamWriter
from yarl import URL

_AT_ONCE_BYTES = 128 * 1024
_BUFFER_BYTES = 64 * 1024  # twice that is read ahead of a reader that does not keep up
_SCHEMES = ("http", "https")
_FORBIDDEN = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")  # in a header (RFC 9110, 5.5)
# aiohttp would ask for compression, which costs CPU and may hold events back, and tell its version.
_OUR_HEADERS = {"accept": "*/*", "accept-encoding": "identity", "user-agent": "megallm"}


class Target:
    """A URL as the pool wants it, and the part of each head that follows from it. Made once for all calls there.

    What the pool asks of a request is where it goes.
    """

    def __init__(self, request: aiohttp.ClientRequest) -> None:
        self.request = request
        through_proxy = request.proxy is not None and not request.is_ssl()
        self.path = str(request.url) if through_proxy else request.url.raw_path_qs

    @classmethod
    async def of(cls, url: str, *, use_proxies: bool) -> Self:
        """*use_proxies*: those of the environment. Raises ValueError for what is no http(s) URL."""
        parsed, auth = strip_auth_from_url(URL(url))
        if parsed.scheme not in _SCHEMES:
            raise ValueError("a URL of another scheme")
        proxy, proxy_auth = await asyncio.to_thread(_proxy_of, parsed) if use_proxies else (None, None)
        return cls(
            aiohttp.ClientRequest(
                "GET",  # a POST would have headers about its body
                parsed,
                headers=_OUR_HEADERS,
                auth=auth,
                loop=asyncio.get_running_loop(),
                proxy=proxy,
                proxy_auth=proxy_auth,
            )
        )

    def head(self, headers: Mapping[str, str], body_bytes: int) -> bytes:
        """A request's head; *headers* go over ours.

        Raises ValueError for a header with a control character, and for a second key where the URL holds one.
        """
        # Those of the request only now: a proxy's key joins them when a connection is made.
        ours = {name.lower(): value for name, value in self.request.headers.items()}
        theirs = {name.lower(): value for name, value in headers.items()}
        if "authorization" in ours and "authorization" in theirs:
            raise ValueError("a key beside a URL's name and password")
        fields = {**ours, **theirs, "content-length": str(body_bytes)}
        lines = [f"{name}: {value}" for name, value in fields.items()]
        if _FORBIDDEN.search("".join(lines)) is not None:
            raise ValueError("a header that holds a control character")
        return "\r\n".join([f"POST {self.path} HTTP/1.1", *lines, "\r\n"]).encode()


class Exchange:
    """A request that was sent, and its response; ``close`` ends it, unless its body has ended."""

    __slots__ = ("_connection", "_sending", "content", "headers", "status")

    status: int
    headers: Mapping[str, str]
    content: aiohttp.StreamReader

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._sending: asyncio.Task[None] | None = None  # of a large body, while the response may come already

    @classmethod
    async def begin(
        cls,
        pool: aiohttp.BaseConnector,
        target: Target,
        headers: Mapping[str, str],
        body: bytes,
        timeout: aiohttp.ClientTimeout,  # noqa: ASYNC109  its limit for connecting is the pool's business
    ) -> Self:
        """Sends a request and waits for the head of its response. Raises aiohttp's errors, OSError, ValueError."""
        exchange = cls(await _unspoilt(pool, target, timeout))
        connection = exchange._connection
        try:
            protocol = connection.protocol
            assert protocol is not None
            assert protocol.transport is not None
            protocol.set_response_params(read_until_eof=True, read_bufsize=_BUFFER_BYTES)
            head = target.head(headers, len(body))
            if len(body) <= _AT_ONCE_BYTES:
                protocol.transport.write(head + body)
            else:
                exchange._sending = asyncio.create_task(_send(protocol, head, body))
            await exchange._answered(protocol)
        except BaseException:
            exchange.close()
            raise
        return exchange

    async def _answered(self, protocol: ResponseHandler) -> None:
        message, content = await protocol.read()
        while 100 <= message.code < 200 and message.code != 101:
            message, content = await protocol.read()
        self.status, self.headers, self.content = message.code, message.headers, content
        content.on_eof(self._ended)

    def _ended(self) -> None:
        """The connection is free for the next call, unless the response came before the request had gone out."""
        transport = self._connection.transport
        waiting = 0 if transport is None else transport.get_write_buffer_size()
        if waiting == 0 and (self._sending is None or self._sending.done()):
            self._connection.release()
        else:
            self.close()

    def close(self) -> None:
        """Ends the call for the upstream."""
        if self._sending is not None:
            self._sending.cancel()
        if (protocol := self._connection.protocol) is not None:
            protocol.abort()  # to close alone would wait until the upstream has read what still waits to be sent
        self._connection.close()


async def _unspoilt(pool: aiohttp.BaseConnector, target: Target, timeout: aiohttp.ClientTimeout) -> Connection:  # noqa: ASYNC109
    """A connection without bytes that came while it was idle: they would be taken for the response."""
    connection = await pool.connect(target.request, [], timeout)
    while connection.protocol is not None and connection.protocol.should_close:
        connection.close()
        connection = await pool.connect(target.request, [], timeout)
    return connection


async def _send(protocol: ResponseHandler, head: bytes, body: bytes) -> None:
    """In pieces, as fast as the upstream takes them: in one, asyncio would copy what is left again and again."""
    writer = StreamWriter(protocol, asyncio.get_running_loop())
    view = memoryview(body)
    with suppress(OSError):  # who waits for the response, or reads it, is told of a lost connection too
        await writer.write(head)
        for at in range(0, len(view), _AT_ONCE_BYTES):
            await writer.write(view[at : at + _AT_ONCE_BYTES])


def _proxy_of(url: URL) -> tuple[URL | None, aiohttp.BasicAuth | None]:
    try:
        return get_env_proxy_for_url(url)
    except LookupError:
        return None, None

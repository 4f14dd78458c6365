"""The HTTP client under the providers: one pool a process, and every failure as an error of our tree.

The only module that knows aiohttp: it takes a quarter of httpx's CPU, costs no more at 512 calls than at 8, and
gives the chunks that are there together in one piece.
"""

import asyncio
from collections.abc import AsyncGenerator, Mapping
from contextlib import AbstractAsyncContextManager, suppress
from dataclasses import dataclass
from types import TracebackType
from typing import Any

import aiohttp
from aiohttp.abc import AbstractStreamWriter

from megallm.errors import GatewayError, UpstreamFailed, UpstreamMisconfigured, UpstreamTimedOut

MAX_ANSWER_BYTES = 64 * 1024 * 1024
# The end of a body often comes a moment after what its reader takes for the end, such as `[DONE]`.
LINGER_SECONDS, LINGER_BYTES = 0.1, 64 * 1024
_PIECE_BYTES = 128 * 1024
_IDLE_SECONDS = 50.0  # less than most servers and load balancers keep a connection open
# aiohttp would ask for compression, which costs CPU and may hold events back, and tell its version.
_HEADERS = {"accept-encoding": "identity", "user-agent": "megallm"}


@dataclass(frozen=True, slots=True)
class HttpAnswer:
    """A whole response. Header names are in lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes


class OpenAnswer:
    """A response whose body is still coming. Header names are in lower case."""

    def __init__(self, response: aiohttp.ClientResponse) -> None:
        self._response = response
        self.status = response.status
        self.headers: Mapping[str, str] = _lower(response)

    async def chunks(self) -> AsyncGenerator[bytes, None]:
        """The bytes as they come, all that are there at once in one piece. Raises UpstreamFailed."""
        try:
            async for chunk in self._response.content.iter_any():
                yield chunk
        except (aiohttp.ClientError, OSError) as error:
            raise _failed(error) from error

    async def read(self) -> bytes:
        """The whole body. Raises UpstreamFailed, also where it is larger than 64 MB."""
        content = self._response.content
        parts: list[bytes] = []
        size = 0
        try:
            while part := await content.readany():
                parts.append(part)
                size += len(part)
                if size > MAX_ANSWER_BYTES:
                    raise UpstreamFailed("The model's provider sent more than can be an answer")
        except (aiohttp.ClientError, OSError) as error:
            raise _failed(error) from error
        return parts[0] if len(parts) == 1 else b"".join(parts)


class Http:
    """Connections to upstreams, kept for the next call. No redirects: no API answers a POST with one.

    Its calls have no timeout of their own but for connecting, name and handshake included: their callers set a
    deadline for the whole. Close it on the event loop that used it; another loop gets connections of its own.
    """

    def __init__(self, *, connect_seconds: float = 5.0, use_proxies: bool = False) -> None:
        self._connect_seconds = connect_seconds
        self._use_proxies = use_proxies
        self._session: aiohttp.ClientSession | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._ending: set[asyncio.Task[None]] = set()

    def open(
        self, url: str, *, headers: Mapping[str, str], body: bytes, method: str = "POST"
    ) -> AbstractAsyncContextManager[OpenAnswer]:
        """An async context manager that gives a response once its head is there.

        Leaving the block by an exception closes the connection at once, which ends the call for the upstream.
        Leaving it otherwise keeps the connection for the next call, if the body ends within a moment.

        Raises UpstreamFailed, UpstreamTimedOut, or UpstreamMisconfigured where the URL or a header cannot be sent.
        """
        return _Opening(self, method, url, headers, body)

    async def post(self, url: str, *, headers: Mapping[str, str], body: bytes) -> HttpAnswer:
        """A whole response, whatever its status. Raises as ``open`` and its chunks do."""
        async with self.open(url, headers=headers, body=body) as answer:
            return HttpAnswer(answer.status, answer.headers, await answer.read())

    async def aclose(self) -> None:
        """Closes all connections."""
        if self._loop is not None and not self._loop.is_closed():  # a closed one has ended its tasks, and takes no more
            for task in self._ending:
                task.cancel()
        session, self._session = self._session, None
        if session is not None:
            await session.close()

    async def request(self, method: str, url: str, headers: Mapping[str, str], body: bytes) -> aiohttp.ClientResponse:
        """The bare response, which must be closed. Raises as ``open``."""
        client = await self._client()
        try:
            return await client.request(
                method, url, headers=headers, data=_Body(body) if body else None, allow_redirects=False
            )
        except (aiohttp.ClientError, OSError, ValueError) as error:
            raise _failed(error) from error

    def let_end(self, response: aiohttp.ClientResponse) -> None:
        task = asyncio.create_task(_read_to_the_end(response.content))
        self._ending.add(task)

        def ended(task: asyncio.Task[None]) -> None:  # also of one that was cancelled before it had begun
            self._ending.discard(task)
            response.close()  # nothing happens at the end of the body, when the connection is back in the pool

        task.add_done_callback(ended)

    async def _client(self) -> aiohttp.ClientSession:
        loop = asyncio.get_running_loop()
        if self._session is None or self._loop is not loop:
            if self._loop is not None and self._loop.is_closed():
                await self.aclose()
            self._loop = loop
            self._session = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(limit=0, keepalive_timeout=_IDLE_SECONDS),
                headers=_HEADERS,
                timeout=aiohttp.ClientTimeout(total=None, connect=self._connect_seconds),
                cookie_jar=aiohttp.DummyCookieJar(),
                trust_env=self._use_proxies,
            )
        return self._session


class _Opening(AbstractAsyncContextManager[OpenAnswer, None]):
    """One call of ``Http.open``. A class and not a generator, which would cost every call some microseconds more."""

    __slots__ = ("_arguments", "_http", "_response")

    def __init__(self, http: Http, *arguments: Any) -> None:  # Any: those of Http.request
        self._http = http
        self._arguments = arguments

    async def __aenter__(self) -> OpenAnswer:
        self._response = await self._http.request(*self._arguments)
        return OpenAnswer(self._response)

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if kind is not None:
            self._response.close()
        elif not self._response.content.is_eof():
            self._http.let_end(self._response)


class _Body(aiohttp.Payload):
    """Bytes, sent in pieces as fast as the upstream takes them.

    In one piece asyncio would copy what is left of them again and again, and aiohttp warns from a megabyte on.
    """

    def __init__(self, body: bytes) -> None:
        super().__init__(body)
        self._body = body
        self._size = len(body)

    def decode(self, encoding: str = "utf-8", errors: str = "strict") -> str:
        return self._body.decode(encoding, errors)

    async def write(self, writer: AbstractStreamWriter) -> None:
        if len(self._body) <= _PIECE_BYTES:
            await writer.write(self._body)
            return
        view = memoryview(self._body)
        for at in range(0, len(view), _PIECE_BYTES):
            await writer.write(view[at : at + _PIECE_BYTES])


async def _read_to_the_end(content: aiohttp.StreamReader) -> None:
    size = 0
    with suppress(aiohttp.ClientError, OSError):  # the time was up, or it broke: nobody waits for it
        async with asyncio.timeout(LINGER_SECONDS):
            while size < LINGER_BYTES and (part := await content.readany()):
                size += len(part)


def _lower(response: aiohttp.ClientResponse) -> dict[str, str]:
    return {name.lower(): value for name, value in response.headers.items()}


def _failed(error: Exception) -> GatewayError:
    """Nothing of the exception's text reaches the caller: it names hosts and ports."""
    match error:
        case TimeoutError():  # aiohttp's timeouts are its ClientError and this
            return UpstreamTimedOut("The model's provider could not be reached in time")
        case aiohttp.ClientConnectorError():  # before ValueError: a wrong certificate is that as well
            return UpstreamFailed("The model's provider cannot be reached")
        case ValueError() | aiohttp.NonHttpUrlClientError():  # a URL without a host, a key with a line end behind it
            return UpstreamMisconfigured("The gateway is not set up right for this model's provider")
        case _:
            return UpstreamFailed("The connection to the model's provider broke")

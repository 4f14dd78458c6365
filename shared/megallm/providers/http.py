"""The HTTP client under the providers: one pool a process, and every failure as an error of our tree.

With http_exchange and http_pool the only module that knows aiohttp: it takes a fifth of httpx's CPU, costs no more at
512 calls than at 8, and gives the chunks that are there together in one piece.
"""

import asyncio
from collections.abc import AsyncGenerator, Mapping
from contextlib import AbstractAsyncContextManager, suppress
from dataclasses import dataclass
from types import TracebackType

import aiohttp
from aiohttp.http import HttpProcessingError

from megallm.errors import GatewayError, UpstreamFailed, UpstreamMisconfigured, UpstreamTimedOut
from megallm.providers.http_exchange import Exchange, Target
from megallm.providers.http_pool import Pool

MAX_ANSWER_BYTES = 64 * 1024 * 1024
# The end of a body often comes a moment after what its reader takes for the end, such as `[DONE]`.
LINGER_SECONDS, LINGER_BYTES = 0.1, 64 * 1024
_CLOSE_SECONDS = 2.0
_MOST_TARGETS = 1000  # are remembered; a deployment calls some dozens of URLs
# What goes wrong with a connection, or with what comes over it.
_BROKEN = (aiohttp.ClientError, HttpProcessingError, OSError)


@dataclass(frozen=True, slots=True)
class HttpAnswer:
    """A whole response. Header names are in lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes


class OpenAnswer:
    """A response whose body is still coming. Header names are in lower case."""

    def __init__(self, exchange: Exchange) -> None:
        self._exchange = exchange
        self.status = exchange.status

    @property
    def headers(self) -> Mapping[str, str]:
        """Made when asked for: of most answers nobody reads them."""
        return {name.lower(): value for name, value in self._exchange.headers.items()}

    async def chunks(self) -> AsyncGenerator[bytes, None]:
        """The bytes as they come, all that are there at once in one piece. Raises UpstreamFailed."""
        try:
            async for chunk in self._exchange.content.iter_any():
                yield chunk
        except _BROKEN as error:
            raise _failed(error) from error

    async def read(self) -> bytes:
        """The whole body. Raises UpstreamFailed, also where it is larger than 64 MB."""
        content = self._exchange.content
        parts: list[bytes] = []
        size = 0
        try:
            while part := await content.readany():
                parts.append(part)
                size += len(part)
                if size > MAX_ANSWER_BYTES:
                    raise UpstreamFailed("The model's provider sent more than can be an answer")
                if content.at_eof():
                    break
        except _BROKEN as error:
            raise _failed(error) from error
        return parts[0] if len(parts) == 1 else b"".join(parts)


class Http:
    """Connections to upstreams, kept for the next call. No redirects: no API answers a POST with one.

    Its calls have no timeout of their own but for connecting, name and handshake included: their callers set a
    deadline for the whole. Close it on the event loop that used it; another loop gets connections of its own.
    """

    def __init__(self, *, connect_seconds: float = 5.0, use_proxies: bool = False) -> None:
        self._timeout = aiohttp.ClientTimeout(total=None, connect=connect_seconds)
        self._use_proxies = use_proxies
        self._pool: Pool | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._targets: dict[str, Target] = {}
        self._ending: set[asyncio.Task[None]] = set()

    def open(self, url: str, *, headers: Mapping[str, str], body: bytes) -> AbstractAsyncContextManager[OpenAnswer]:
        """An async context manager that POSTs and gives a response once its head is there.

        Leaving the block by an exception closes the connection at once, which ends the call for the upstream.
        Leaving it otherwise keeps the connection for the next call, if the body ends within a moment.

        Raises UpstreamFailed, UpstreamTimedOut, or UpstreamMisconfigured where the URL or a header cannot be sent.
        """
        return _Opening(self, url, headers, body)

    async def post(self, url: str, *, headers: Mapping[str, str], body: bytes) -> HttpAnswer:
        """A whole response, whatever its status. Raises as ``open`` and its chunks do."""
        async with self.open(url, headers=headers, body=body) as answer:
            return HttpAnswer(answer.status, answer.headers, await answer.read())

    async def aclose(self) -> None:
        """Closes all connections."""
        if self._loop is not None and not self._loop.is_closed():  # a closed one has ended its tasks, and takes no more
            for task in self._ending:
                task.cancel()
        pool, self._pool = self._pool, None
        self._targets.clear()
        if pool is not None:
            with suppress(TimeoutError):  # a connection whose upstream does not read is never quite closed
                async with asyncio.timeout(_CLOSE_SECONDS):
                    await pool.close()

    async def begin(self, url: str, headers: Mapping[str, str], body: bytes) -> Exchange:
        """The bare exchange, which must be closed. Raises as ``open``."""
        if self._pool is None or self._loop is not asyncio.get_running_loop():
            old = self._make_pool()
            if old is not None:
                await old.close()
        pool = self._pool
        assert pool is not None
        try:
            target = self._targets.get(url) or await self._target(url)
            return await Exchange.begin(pool, target, headers, body, self._timeout)
        except (*_BROKEN, ValueError) as error:
            raise _failed(error) from error

    def let_end(self, exchange: Exchange) -> None:
        """Reads what is left of a body, if that is soon over, and closes the exchange."""
        task = asyncio.create_task(_read_to_the_end(exchange.content))
        self._ending.add(task)

        def ended(task: asyncio.Task[None]) -> None:  # also of one that was cancelled before it had begun
            self._ending.discard(task)
            exchange.close()  # nothing happens at the end of the body, when the connection is back in the pool

        task.add_done_callback(ended)

    def _make_pool(self) -> Pool | None:
        """Without a pause, so that calls that begin together share one. Gives the old one if it is to be closed."""
        old = self._pool if self._loop is not None and self._loop.is_closed() else None
        self._targets.clear()
        self._loop = asyncio.get_running_loop()
        self._pool = Pool(self._loop)
        return old

    async def _target(self, url: str) -> Target:
        target = await Target.of(url, use_proxies=self._use_proxies)
        if len(self._targets) >= _MOST_TARGETS:
            self._targets.clear()
        self._targets[url] = target
        return target


class _Opening(AbstractAsyncContextManager[OpenAnswer, None]):
    """One call of ``Http.open``. A class and not a generator, which would cost every call some microseconds more."""

    __slots__ = ("_body", "_exchange", "_headers", "_http", "_url")

    def __init__(self, http: Http, url: str, headers: Mapping[str, str], body: bytes) -> None:
        self._http = http
        self._url = url
        self._headers = headers
        self._body = body

    async def __aenter__(self) -> OpenAnswer:
        self._exchange = await self._http.begin(self._url, self._headers, self._body)
        return OpenAnswer(self._exchange)

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if kind is not None:
            self._exchange.close()
        elif not self._exchange.content.is_eof():
            self._http.let_end(self._exchange)


async def _read_to_the_end(content: aiohttp.StreamReader) -> None:
    size = 0
    with suppress(*_BROKEN):  # the time was up, or it broke: nobody waits for it
        async with asyncio.timeout(LINGER_SECONDS):
            while size < LINGER_BYTES and (part := await content.readany()):
                size += len(part)


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

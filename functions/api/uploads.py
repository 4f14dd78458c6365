"""A large JSON body, piece by piece as it arrives: it is never in memory as a whole."""

from collections.abc import AsyncIterator
from typing import Self

from starlette.requests import Request

from functions.api.disconnect import ClientGone
from megallm.errors import GatewayError, InvalidRequest, RequestTooLarge


class Upload(AsyncIterator[bytes]):
    """The pieces of one request's body. Raises RequestTooLarge beyond *limit* bytes, with *instead* in its message.

    Before an error is answered the rest has to be read: see ``drain``.
    """

    def __init__(self, request: Request, limit: int, instead: str) -> None:
        self._receive = request.receive
        self._limit = limit
        self._instead = instead
        self._size = 0
        self._more = True
        content_type = request.headers.get("content-type", "application/json").partition(";")[0].strip().lower()
        declared = request.headers.get("content-length", "")
        self._refusal: GatewayError | None = None
        if content_type != "application/json":
            self._refusal = InvalidRequest("The content-type must be application/json")
        elif declared.isascii() and declared.isdigit() and int(declared[:20]) > limit:
            self._refusal = self._too_large()

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> bytes:
        if self._refusal is not None:
            raise self._refusal
        if not self._more:
            raise StopAsyncIteration
        piece = await self._next()
        if self._size > self._limit:
            self._refusal = self._too_large()
            raise self._refusal
        return piece

    async def drain(self) -> None:
        """Reads and throws away what still comes, up to a bound.

        A client that is still sending does not read: an answer now would be lost in a reset connection.
        """
        while self._more and self._size <= 2 * self._limit:
            await self._next()

    async def _next(self) -> bytes:
        message = await self._receive()
        if message["type"] == "http.disconnect":
            raise ClientGone
        self._more = message.get("more_body", False)
        piece: bytes = message.get("body", b"")
        self._size += len(piece)
        return piece

    def _too_large(self) -> RequestTooLarge:
        return RequestTooLarge(
            f"The request body is larger than the {self._limit} bytes that this deployment takes here; {self._instead}"
        )

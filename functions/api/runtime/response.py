"""The response cycle of one invocation: what the app sends leaves as it comes, what the reader does comes back.

The app ends when its reader has gone, as far as the Runtime API lets that be seen: it closes the connection.
"""

import asyncio
from collections.abc import Iterable

from starlette.types import Message

from functions.api.disconnect import ClientGone
from functions.api.runtime.client import RuntimeApi
from functions.api.runtime.connection import Answer, Connection, RuntimeApiFailed, chunk, last_chunk
from functions.api.runtime.failures import Failure
from functions.api.runtime.invocation import Invocation
from functions.api.runtime.prelude import to_wire
from megallm.telemetry import log

# asyncio copies what a socket does not take at once, again and again, so nothing large is handed to it in one piece.
_PIECE_BYTES = 256 * 1024
_ANSWER_SECONDS = 5.0
_NO_BODY = frozenset({204, 304})
_ACCEPTED = 202
_CONTAINER_ERROR = 500  # nothing can be mended, AWS writes: the runtime is to end


class StreamedResponse:
    """An ASGI ``receive`` and ``send`` over one response of the Runtime API."""

    def __init__(
        self, api: RuntimeApi, invocation: Invocation, body: bytes, *, method: str, format_version: str
    ) -> None:
        self._api = api
        self._invocation = invocation
        self._request: Message | None = {"type": "http.request", "body": body, "more_body": False}
        self._bodiless = method == "HEAD"
        self._format_version = format_version
        self._connection: Connection | None = None
        self._answer: asyncio.Task[Answer] | None = None
        self._held = b""  # the head and the prelude, which leave together with the first of the body
        self._complete = False
        self._over = asyncio.Event()  # whole, or its reader has gone
        self.gone = False

    @property
    def begun(self) -> bool:
        """Whether the Runtime API has been told of a response."""
        return self._connection is not None

    async def receive(self) -> Message:
        """The request; then, once there is nobody to answer any more, the disconnect."""
        if self._request is not None:
            request, self._request = self._request, None
            return request
        await self._over.wait()
        return {"type": "http.disconnect"}

    async def send(self, message: Message) -> None:
        """A part of the response; waits while the reader is slower. Raises ClientGone."""
        if self.gone:
            raise ClientGone
        if message["type"] == "http.response.start" and not self.begun:
            await self._begin(message["status"], message.get("headers", ()))
        elif message["type"] == "http.response.body" and self.begun and not self._complete:
            await self._write(message.get("body", b""), whole=not message.get("more_body", False))
        else:
            raise RuntimeError(f"{message['type']} is not what comes next")

    def abandon(self) -> None:
        """Lets the app know that nobody waits any more, and closes what was begun."""
        self.gone = True
        self._over.set()
        if self._connection is not None:
            self._connection.abort()

    async def finish(self, failure: Failure) -> None:
        """Ends a response that has begun; with *failure*, if the app did not make it whole. Raises RuntimeApiFailed."""
        assert self._connection is not None
        assert self._answer is not None
        try:
            if not self._complete and not self.gone:
                self._complete = True
                self._flush(last_chunk(failure.to_trailers()))
            if not self.gone:
                await asyncio.wait([self._answer], timeout=_ANSWER_SECONDS)
                self._judge(self._answer)
        finally:
            self._answer.cancel()
            self._connection.close()

    async def _begin(self, status: int, headers: Iterable[tuple[bytes, bytes]]) -> None:
        self._bodiless = self._bodiless or status in _NO_BODY
        if self._bodiless:  # a length without a body would be waited for
            headers = [(name, value) for name, value in headers if name.lower() != b"content-length"]
        prelude = chunk(to_wire(status, headers, format_version=self._format_version))
        try:
            connection, head = await self._api.open_response(self._invocation)
        except RuntimeApiFailed as error:
            self.abandon()
            raise ClientGone from error
        if self.gone:
            connection.abort()
            raise ClientGone
        self._connection, self._held = connection, head + prelude
        loop = asyncio.get_running_loop()
        loop.call_soon(self._flush)
        self._answer = loop.create_task(connection.answer())
        self._answer.add_done_callback(self._answered)

    async def _write(self, body: bytes, *, whole: bool) -> None:
        if self._bodiless:
            body = b""
        elif len(body) > _PIECE_BYTES:
            starts = range(0, len(body), _PIECE_BYTES)
            for start in starts[:-1]:
                self._flush(chunk(body[start : start + _PIECE_BYTES]))
                await self._drain()
            body = body[starts[-1] :]
        self._complete = whole
        self._flush(chunk(body) + last_chunk() if whole else chunk(body))
        await self._drain()
        if whole:
            self._over.set()

    def _flush(self, data: bytes = b"") -> None:
        data, self._held = self._held + data, b""
        if data and self._connection is not None:
            self._connection.writer.write(data)

    async def _drain(self) -> None:
        assert self._connection is not None
        try:
            await self._connection.writer.drain()
        except ConnectionError as error:
            self.abandon()
            raise ClientGone from error
        if self.gone:
            raise ClientGone

    def _answered(self, answer: asyncio.Task[Answer]) -> None:
        """An answer before the end means that nobody reads on."""
        if answer.cancelled() or self._complete or self.gone:
            return
        self._judge(answer, early=True)
        self.abandon()

    def _judge(self, answer: asyncio.Task[Answer], *, early: bool = False) -> None:
        """Takes note of what the Runtime API says of the response."""
        if not answer.done():
            self._log("response_unanswered", None)
        elif answer.exception() is not None:
            self._log("response_broken_off" if early else "response_unanswered", None)
        elif (status := answer.result().status) != _ACCEPTED:
            self._log("response_refused", status)
            if status >= _CONTAINER_ERROR and not early:
                raise RuntimeApiFailed(f"a response was answered with {status}")

    def _log(self, event: str, status: int | None) -> None:
        log(event, {"lambda_request_id": self._invocation.request_id, "status": status})

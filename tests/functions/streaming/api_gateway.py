"""An API Gateway in STREAM mode: HTTP becomes events of a REST API, streamed responses become HTTP as they come.

What it does is what AWS's documentation says, but for one thing: it lets go of the function when its client leaves,
where AWS leaves open whether the function sees that.
"""

import asyncio
import json
from contextlib import suppress
from http import HTTPStatus
from types import TracebackType
from typing import Self

from tests.functions.api.gateway_events import event
from tests.functions.streaming.runtime_api import Exchange, RuntimeApi
from tests.functions.streaming.wire import MARK, Json

PRELUDE_BYTES = 16 * 1024  # so much of a response may come before its mark
BROKEN = {"type": "error", "error": {"type": "api_error", "message": "The gateway failed"}}


class ApiGateway:
    """A server on 127.0.0.1 that invokes the function behind a Runtime API."""

    def __init__(self, api: RuntimeApi) -> None:
        self._api = api
        self._open: set[asyncio.Task[None]] = set()
        self.url = ""

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._connected, "127.0.0.1", 0)
        self.url = f"http://127.0.0.1:{self._server.sockets[0].getsockname()[1]}"
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.close()
        for task in self._open:
            task.cancel()
        if self._open:
            await asyncio.wait(self._open)

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._open.add(task)
        try:
            exchange = self._api.invoke(await _event(reader))
            await _while_there(reader, exchange, writer)
        except (ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
            pass  # the client is gone, or the test is over
        finally:
            self._open.discard(task)
            writer.close()


async def _event(reader: asyncio.StreamReader) -> Json:
    """The next request, as a REST API hands it on."""
    head = await reader.readuntil(b"\r\n\r\n")
    first, *lines = head.decode("latin-1").removesuffix("\r\n\r\n").split("\r\n")
    method, target, _ = first.split(" ")
    fields = ((name.lower(), value.strip()) for name, _, value in (line.partition(":") for line in lines))
    headers = {name: value for name, value in fields if name not in ("host", "connection", "content-length")}
    length = next((int(line.split(":")[1]) for line in lines if line.lower().startswith("content-length:")), 0)
    body = await reader.readexactly(length)
    path, _, query = target.partition("?")
    return event("rest_v1", method, path, body=body or None, headers=headers, query=query)


async def _while_there(reader: asyncio.StreamReader, exchange: Exchange, writer: asyncio.StreamWriter) -> None:
    """Answers until the client leaves; then the function is let go of."""
    answering = asyncio.ensure_future(_answer(exchange, writer))
    leaving = asyncio.ensure_future(reader.read(1))
    try:
        await asyncio.wait([answering, leaving], return_when=asyncio.FIRST_COMPLETED)
        if answering.done():
            answering.result()
        else:
            exchange.break_off()
    finally:
        for task in (answering, leaving):
            task.cancel()
        await asyncio.gather(answering, leaving, return_exceptions=True)


async def _answer(exchange: Exchange, writer: asyncio.StreamWriter) -> None:
    come, seen, begun = b"", 0, False
    while True:
        await exchange.grown(seen)
        post = exchange.post
        fresh = post.chunks[seen:] if post is not None and "/response " in post.line else []
        seen += len(fresh)
        come += b"".join(fresh)
        if not begun and MARK in come:
            prelude, _, come = come.partition(MARK)
            assert len(prelude) < PRELUDE_BYTES
            _begin(json.loads(prelude), writer)
            begun = True
        if begun and come:
            writer.write(b"%x\r\n%b\r\n" % (len(come), come))
            come = b""
            await writer.drain()
        if not fresh and exchange.ended:
            break
    if not begun:
        body = json.dumps(BROKEN).encode()
        head = "HTTP/1.1 502 Bad Gateway\r\nContent-Type: application/json\r\nConnection: close\r\n"
        writer.write(f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body)
    elif post is None or not post.whole or post.trailers:
        writer.transport.abort()  # it is not whole, and this is the one way left to say so
    else:
        writer.write(b"0\r\n\r\n")
    with suppress(ConnectionError):
        await writer.drain()


def _begin(prelude: Json, writer: asyncio.StreamWriter) -> None:
    status = prelude["statusCode"]
    headers = [*prelude["headers"].items()]
    headers += [(name, value) for name, values in prelude["multiValueHeaders"].items() for value in values]
    lines = [f"{name}: {value}" for name, value in headers if name != "content-length"]
    first = f"HTTP/1.1 {status} {HTTPStatus(status).phrase if status != 529 else 'Overloaded'}"
    writer.write(
        "\r\n".join([first, *lines, "transfer-encoding: chunked", "connection: close", "", ""]).encode("latin-1")
    )

"""A Runtime API: a real HTTP server that hands out invocations and keeps what comes back, byte for byte."""

import asyncio
import json
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import TracebackType
from typing import Self

from tests.functions.streaming.wire import Answer, Json, Post, answer_of, post_of

PATIENCE_SECONDS = 90.0

REQUEST_ID = "8476a536-e9f4-11e8-9739-2dfe598c3fcd"
FUNCTION_ARN = "arn:aws:lambda:us-east-1:123456789012:function:megallm-api"
INVOCATION = "/2018-06-01/runtime/invocation"


@dataclass(eq=False)
class Exchange:
    """An invocation and what the runtime sent for it. All of its methods belong to the stub's loop.

    ``answer_status`` is what its post is answered with; ``answer_early`` does not wait for the post's end.
    """

    request_id: str
    event: bytes
    headers: Mapping[str, str]
    chunked: bool = False
    answer_status: int = 202
    answer_early: bool = False
    raw: bytearray = field(default_factory=bytearray)
    post: Post | None = None
    ended: bool = False
    reading: asyncio.Event = field(default_factory=asyncio.Event)
    _changed: asyncio.Condition = field(default_factory=asyncio.Condition)
    _writer: asyncio.StreamWriter | None = None

    @property
    def answer(self) -> Answer:
        """The streamed response, as far as it has come."""
        assert self.post is not None
        assert self.post.line == f"POST {INVOCATION}/{self.request_id}/response HTTP/1.1", self.post.line
        return answer_of(self.post.body)

    @property
    def error(self) -> Json:
        """What the runtime reported in place of a response."""
        assert self.post is not None
        assert self.post.line == f"POST {INVOCATION}/{self.request_id}/error HTTP/1.1", self.post.line
        return json.loads(self.post.body)

    async def end(self) -> None:
        """Until the post has ended, whole or torn."""
        await self._until(lambda: self.ended)

    async def came(self, text: bytes) -> None:
        """Until this has come."""
        await self._until(lambda: self.ended or text in self.raw)
        assert text in self.raw, f"it ended without: {bytes(self.raw)!r}"

    async def grown(self, seen: int) -> None:
        """Until more than so many chunks have come, or no more will."""
        await self._until(lambda: self.ended or (self.post is not None and len(self.post.chunks) > seen))

    def break_off(self) -> None:
        """Closes the connection on which the response comes."""
        if self._writer is not None:
            self._writer.transport.abort()

    async def begin(self, head: bytes, writer: asyncio.StreamWriter) -> Post:
        """Of the server: the post's head has come."""
        self._writer = writer
        post = self.post = post_of(head)
        self.raw += head
        await self._tell()
        return post

    async def feed(self, data: bytes) -> None:
        """Of the server: some of its body has come."""
        assert self.post is not None
        self.raw += data
        self.post.feed(data)
        await self._tell()

    async def over(self) -> None:
        """Of the server: nothing will come any more."""
        self.ended = True
        await self._tell()

    async def _tell(self) -> None:
        async with self._changed:
            self._changed.notify_all()

    async def _until(self, condition: Callable[[], bool]) -> None:
        async with asyncio.timeout(PATIENCE_SECONDS), self._changed:
            await self._changed.wait_for(condition)


class RuntimeApi:
    """The server, between ``async with`` and its end.

    ``reports`` are the posts that belong to no invocation. ``restored`` lets a copy of a snapshot go on.
    """

    def __init__(self) -> None:
        self.address = ""
        self.reports: list[tuple[Post, bytes]] = []
        self.restore_asked = asyncio.Event()
        self.restored = asyncio.Event()
        self.exchanges: list[Exchange] = []
        self.next_heads: list[bytes] = []
        self._queue: asyncio.Queue[Exchange] = asyncio.Queue()
        self._idle = asyncio.Condition()
        self._asked = 0  # for invocations, by a runtime that has not gone since
        self._open: set[asyncio.Task[None]] = set()

    def invoke(
        self,
        event: Json | bytes,
        *,
        seconds: float = 60.0,
        headers: Mapping[str, str] | None = None,
        request_id: str | None = None,
        **options: Json,
    ) -> Exchange:
        """Queues an invocation, which has so many seconds; an *event* of bytes is sent as it is."""
        text = event if isinstance(event, bytes) else json.dumps(event).encode()
        request_id = request_id or f"{REQUEST_ID[:-4]}{len(self.exchanges):04x}"
        told = {
            "Lambda-Runtime-Aws-Request-Id": request_id,
            "Lambda-Runtime-Deadline-Ms": str(int((time.time() + seconds) * 1000)),
            "Lambda-Runtime-Invoked-Function-Arn": FUNCTION_ARN,
            "Content-Type": "application/json",
            **(headers or {}),
        }
        exchange = Exchange(request_id, text, told, **options)
        exchange.reading.set()
        self.exchanges.append(exchange)
        self._queue.put_nowait(exchange)
        return exchange

    async def idle(self) -> None:
        """Until the runtime waits for an invocation."""
        async with asyncio.timeout(PATIENCE_SECONDS), self._idle:
            await self._idle.wait_for(lambda: self._asked > len(self.exchanges))

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._connected, "127.0.0.1", 0)
        self.address = f"127.0.0.1:{self._server.sockets[0].getsockname()[1]}"
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
            while await self._serve(reader, writer):
                pass
        except (ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
            pass  # the runtime is gone, or the test is over
        finally:
            self._open.discard(task)
            writer.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        """One request. Whether another may follow."""
        head = await reader.readuntil(b"\r\n\r\n")
        method, path, _ = head.decode("latin-1").split(" ", 2)
        match method, path.removeprefix("/2018-06-01/runtime").split("/")[1:]:
            case "GET", ["invocation", "next"]:
                self.next_heads.append(head)
                exchange = await self._next(reader)
                if exchange is None:
                    return False
                writer.write(_answer(200, exchange.headers, exchange.event, chunked=exchange.chunked))
            case "GET", ["restore", "next"]:
                self.restore_asked.set()
                await self.restored.wait()
                writer.write(_answer(200, {}, b""))
            case "POST", ["invocation", request_id, "response" | "error"]:
                (exchange,) = [each for each in self.exchanges if each.request_id == request_id]
                try:
                    await self._record(exchange, head, reader, writer)
                finally:
                    await exchange.over()
            case "POST", ["init" | "restore", "error"]:
                post = post_of(head)
                body = await reader.readexactly(int(post.headers["content-length"]))
                post.feed(body)
                self.reports.append((post, head + body))
                writer.write(_answer(202, {}, b'{"status":"OK"}'))
            case _:
                raise AssertionError(f"no Runtime API has this: {head!r}")
        await writer.drain()
        return True

    async def _next(self, reader: asyncio.StreamReader) -> Exchange | None:
        """The next invocation; None where the runtime goes away instead."""
        async with self._idle:
            self._asked += 1
            self._idle.notify_all()
        waiting = asyncio.ensure_future(self._queue.get())
        leaving = asyncio.ensure_future(reader.read(1))
        try:
            await asyncio.wait([waiting, leaving], return_when=asyncio.FIRST_COMPLETED)
            if waiting.done():
                return waiting.result()
            self._asked -= 1
            return None
        finally:
            for task in (waiting, leaving):
                task.cancel()
            await asyncio.gather(waiting, leaving, return_exceptions=True)

    async def _record(
        self, exchange: Exchange, head: bytes, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        post = await exchange.begin(head, writer)
        if exchange.answer_early:
            writer.write(_answer(exchange.answer_status, {}, b""))
        while not post.whole:
            await exchange.reading.wait()
            data = await reader.read(256 * 1024)
            if not data:
                raise ConnectionResetError
            await exchange.feed(data)
        writer.write(_answer(exchange.answer_status, {}, b'{"status":"OK"}'))


def _answer(status: int, headers: Mapping[str, str], body: bytes, *, chunked: bool = False) -> bytes:
    lines = [f"HTTP/1.1 {status} Whatever", *(f"{name}: {value}" for name, value in headers.items())]
    if chunked:
        lines.append("Transfer-Encoding: chunked")
        pieces = [body[at : at + 1000] for at in range(0, len(body), 1000)]
        body = b"".join(b"%x\r\n%b\r\n" % (len(piece), piece) for piece in pieces) + b"0\r\n\r\n"
    else:
        lines.append(f"Content-Length: {len(body)}")
    return "\r\n".join([*lines, "", ""]).encode() + body

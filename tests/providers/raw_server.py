"""A server of this machine that does what a test's script says: it can lie, stall, reset and hang up."""

import asyncio
import socket
import ssl
import struct
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field

LOOPBACK = "127.0.0.1"


class Connection:
    """One client. ``number`` counts from 1; ``heads`` and ``bodies`` are its requests so far."""

    def __init__(self, number: int, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.number = number
        self._reader = reader
        self._writer = writer
        self.heads: list[str] = []
        self.bodies: list[bytes] = []

    async def request(self) -> str:
        """The head of the next request; its body is read too. Raises EOFError where the client has gone."""
        head = await self.head()
        fields = dict(line.lower().split(": ", 1) for line in head.split("\r\n")[1:] if line)
        self.bodies.append(await self._reader.readexactly(int(fields.get("content-length", "0"))))
        return head

    async def head(self) -> str:
        """The head alone; the body stays unread."""
        head = (await self._reader.readuntil(b"\r\n\r\n")).decode()
        self.heads.append(head)
        return head

    async def send(self, *pieces: bytes, pause: float = 0.0) -> None:
        """The pieces one after the other. Raises ConnectionError where the client has gone."""
        for piece in pieces:
            self._writer.write(piece)
            await self._writer.drain()
            if pause:
                await asyncio.sleep(pause)

    async def gone(self) -> None:
        """Waits until the client closes the connection."""
        with suppress(ConnectionError):
            while await self._reader.read(65536):
                pass

    def read_no_more(self) -> None:
        """Leaves what comes in the network's buffers, and makes them small."""
        raw: socket.socket = self._writer.get_extra_info("socket")
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        self._writer.transport.pause_reading()  # type: ignore[attr-defined]  # StreamWriter's type has the half only

    def reset(self) -> None:
        """Ends the connection as a crashed process does, without a goodbye."""
        raw: socket.socket = self._writer.get_extra_info("socket")
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self._writer.transport.abort()

    def half_close(self) -> None:
        """Ends our direction only."""
        self._writer.write_eof()

    def close(self) -> None:
        """Hangs up."""
        self._writer.close()


Script = Callable[[Connection], Awaitable[None]]


@dataclass
class RawServer:
    """Where it listens, and who came."""

    port: int = 0
    connections: list[Connection] = field(default_factory=list)

    @property
    def url(self) -> str:
        return f"http://{LOOPBACK}:{self.port}/"

    @property
    def heads(self) -> list[str]:
        return [head for connection in self.connections for head in connection.heads]


@asynccontextmanager
async def serving(script: Script, *, tls: ssl.SSLContext | None = None) -> AsyncIterator[RawServer]:
    """A server whose every connection is handled by *script*, and closed after it."""
    running: set[asyncio.Task[None]] = set()
    server = RawServer()

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connection = Connection(len(server.connections) + 1, reader, writer)
        server.connections.append(connection)
        task = asyncio.current_task()
        assert task is not None
        running.add(task)
        try:
            with suppress(ConnectionError, EOFError, TimeoutError, asyncio.CancelledError):
                await script(connection)
        finally:
            running.discard(task)
            writer.close()
            with suppress(ConnectionError, TimeoutError, ssl.SSLError, asyncio.CancelledError):
                await writer.wait_closed()

    listening = await asyncio.start_server(handle, LOOPBACK, 0, ssl=tls)
    server.port = listening.sockets[0].getsockname()[1]
    try:
        yield server
    finally:
        listening.close()
        for task in running:
            task.cancel()
        if running:
            await asyncio.wait(running)


def answer(body: bytes = b"", *, status: str = "200 OK", **headers: str) -> bytes:
    """A whole response with a true Content-Length; an underscore in a header's name is a hyphen."""
    fields = {"content_length": str(len(body)), **headers}
    lines = "".join(f"{name.replace('_', '-')}: {value}\r\n" for name, value in fields.items())
    return f"HTTP/1.1 {status}\r\n{lines}\r\n".encode() + body

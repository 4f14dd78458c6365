"""A load generator: keep-alive connections over plain sockets, bounded in count and time."""

import asyncio
import time
from collections.abc import Mapping
from typing import Self


class Client:
    """One connection, read up to what is looked for."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer

    @classmethod
    async def connect(cls, port: int) -> Self:
        """To 127.0.0.1:*port*."""
        return cls(*await asyncio.open_connection("127.0.0.1", port))

    async def send(self, message: bytes) -> None:
        """A head and its body."""
        self._writer.write(message)
        await self._writer.drain()

    async def until(self, mark: bytes) -> bytes:
        """All that comes up to *mark*, and the mark. Raises EOFError where the server hangs up before."""
        return await self._reader.readuntil(mark)

    async def answer(self) -> bytes:
        """The body of a whole response. Raises RuntimeError for anything but a 200."""
        head = (await self.until(b"\r\n\r\n")).lower()
        _, length, rest = head.partition(b"content-length: ")
        if length:
            body = await self._reader.readexactly(int(rest.partition(b"\r\n")[0]))
        else:
            body = await self.until(b"\r\n0\r\n\r\n")  # chunked
        if b" 200 " not in head.partition(b"\r\n")[0]:
            raise RuntimeError((head + body).decode())
        return body

    async def close(self) -> None:
        """Hangs up."""
        self._writer.close()
        await self._writer.wait_closed()


def head_of(path: str, headers: Mapping[str, str], body: bytes) -> bytes:
    """The head of a POST."""
    lines = [f"{name}: {value}\r\n" for name, value in headers.items()]
    return f"POST {path} HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-length: {len(body)}\r\n{''.join(lines)}\r\n".encode()


async def requests_per_second(
    port: int, body: bytes, headers: Mapping[str, str], *, connections: int, requests: int, seconds: float
) -> float:
    """The rate at which 127.0.0.1:*port* answers POST /v1/messages. Raises RuntimeError for anything but a 200."""
    message = head_of("/v1/messages", headers, body) + body
    left = requests
    done = 0
    deadline = time.perf_counter() + seconds

    async def connection() -> None:
        nonlocal left, done
        client = await Client.connect(port)
        while left > 0 and time.perf_counter() < deadline:
            left -= 1
            await client.send(message)
            await client.answer()
            done += 1
        await client.close()

    began = time.perf_counter()
    await asyncio.gather(*(connection() for _ in range(connections)))
    return done / (time.perf_counter() - began)

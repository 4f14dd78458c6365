"""A load generator: keep-alive connections over plain sockets, bounded in count and time."""

import asyncio
import time
from collections.abc import Mapping


async def requests_per_second(
    port: int, body: bytes, headers: Mapping[str, str], *, connections: int, requests: int, seconds: float
) -> float:
    """The rate at which 127.0.0.1:*port* answers POST /v1/messages. Raises RuntimeError for anything but a 200."""
    lines = [f"{name}: {value}\r\n" for name, value in headers.items()]
    head = (
        f"POST /v1/messages HTTP/1.1\r\nhost: 127.0.0.1:{port}\r\ncontent-length: {len(body)}\r\n{''.join(lines)}\r\n"
    )
    message = head.encode() + body
    left = requests
    done = 0
    deadline = time.perf_counter() + seconds

    async def connection() -> None:
        nonlocal left, done
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        while left > 0 and time.perf_counter() < deadline:
            left -= 1
            writer.write(message)
            await _read_answer(reader)
            done += 1
        writer.close()
        await writer.wait_closed()

    began = time.perf_counter()
    await asyncio.gather(*(connection() for _ in range(connections)))
    return done / (time.perf_counter() - began)


async def _read_answer(reader: asyncio.StreamReader) -> None:
    head = (await reader.readuntil(b"\r\n\r\n")).lower()
    if b" 200 " not in head.partition(b"\r\n")[0]:
        raise RuntimeError(head.decode())
    length = head.partition(b"content-length: ")[2].partition(b"\r\n")[0]
    await reader.readexactly(int(length))

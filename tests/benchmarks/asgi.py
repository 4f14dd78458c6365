"""One request to an app in this process, heard message by message as a server would."""

import asyncio
from collections.abc import AsyncGenerator

from starlette.types import ASGIApp, Message

from tests.benchmarks.invocation import Event


async def exchange(app: ASGIApp, what: Event) -> AsyncGenerator[Message, None]:
    """What the app sends for the request in *what*. The client stays until the app has ended."""
    sent: asyncio.Queue[Message | None] = asyncio.Queue()
    received = [{"type": "http.request", "body": what["body"].encode()}]

    async def receive() -> Message:
        if received:
            return received.pop()
        staying: asyncio.Future[Message] = asyncio.get_running_loop().create_future()
        return await staying

    async def run() -> None:
        try:
            await app(scope, receive, sent.put)
        finally:
            sent.put_nowait(None)

    scope = {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.3"},
        "http_version": "1.1",
        "method": "POST",
        "scheme": "https",
        "path": what["path"],
        "raw_path": what["path"].encode(),
        "query_string": b"",
        "root_path": "",
        "headers": [(name.lower().encode(), value.encode()) for name, value in what["headers"].items()],
        "client": ("203.0.113.7", 50000),
        "server": ("127.0.0.1", 4141),
    }
    running = asyncio.create_task(run())
    try:
        while (message := await sent.get()) is not None:
            yield message
    finally:
        await running


async def body_of(app: ASGIApp, what: Event) -> bytes:
    """The body of the app's answer. Raises RuntimeError for anything but a 200."""
    parts: list[bytes] = []
    async for message in exchange(app, what):
        if message.get("status", 200) != 200:
            raise RuntimeError(f"the benchmark's own request fails: {message}")
        parts.append(message.get("body", b""))
    return b"".join(parts)

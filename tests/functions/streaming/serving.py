"""Our runtime in the test's own process, over small apps: for what needs no process and no gateway."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from mangum.types import ASGI, Receive, Scope, Send

from functions.api.entry import LambdaEntry
from functions.api.runtime.client import RuntimeApi as Client
from functions.api.runtime.serve import Function, Server
from tests.functions.api.gateway_events import event
from tests.functions.streaming.runtime_api import RuntimeApi

NO_RESPONSE = {
    "errorMessage": "The function ended without a response",
    "errorType": "Function.NoResponse",
    "stackTrace": [],
}


@dataclass
class Served:
    """A Runtime API and a server that serves it; ``closed`` counts how often the function was closed."""

    api: RuntimeApi
    server: Server
    running: asyncio.Task[None]
    environ: dict[str, str] = field(default_factory=dict)
    closed: int = 0


@asynccontextmanager
async def serving(app: ASGI, aclose: Callable[[], Awaitable[None]] | None = None) -> AsyncIterator[Served]:
    """The app, served until the block ends or the test stops it before."""

    async def close() -> None:
        served.closed += 1
        if aclose is not None:
            await aclose()

    environ = {"AWS_LAMBDA_FUNCTION_NAME": "megallm-api", "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "512"}
    async with RuntimeApi() as api:
        server = Server(Client(api.address), Function(LambdaEntry(app), close), environ)
        served = Served(api, server, asyncio.create_task(server.run()), environ)
        try:
            yield served
        finally:
            server.stop()
            await asyncio.wait([served.running])


def answering(status: int, headers: list[tuple[bytes, bytes]], *pieces: bytes) -> ASGI:
    """An app that always answers this, the pieces one by one; the last one ends it."""

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": status, "headers": headers})
        for at, piece in enumerate(pieces, 1):
            await send({"type": "http.response.body", "body": piece, "more_body": at < len(pieces)})

    return app


def failing_once(app: ASGI) -> ASGI:
    """The app at the first request; then all is well."""
    waiting = [app]

    async def apply(scope: Scope, receive: Receive, send: Send) -> None:
        await (waiting.pop() if waiting else answering(200, [], b"ok"))(scope, receive, send)

    return apply


async def goes_on(served: Served) -> None:
    """The next invocation is answered as if nothing had been."""
    exchange = served.api.invoke(event("rest_v1"))
    await exchange.end()
    assert exchange.answer.status == 200

"""What the tests of the HTTP client share: a client with a server of its own, and how its calls end."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

from megallm.errors import GatewayError
from megallm.providers.http import Http, HttpAnswer
from tests.providers.raw_server import Connection, RawServer, Script, answer, serving

ResultT = TypeVar("ResultT")


BROKEN = "The connection to the model's provider broke"


HEADERS = {"content-type": "application/json"}


def with_server(
    script: Script,
    use: Callable[[Http, RawServer], Awaitable[ResultT]],
    *,
    connect_seconds: float = 60.0,
    loop: Callable[[], asyncio.AbstractEventLoop] = asyncio.new_event_loop,
) -> ResultT:
    """What *use* gives, with a client and a server of its own; both run on one loop."""

    async def run() -> ResultT:
        async with serving(script) as server:
            http = Http(connect_seconds=connect_seconds)
            try:
                return await use(http, server)
            finally:
                await http.aclose()

    with asyncio.Runner(loop_factory=loop) as runner:
        return runner.run(run())


async def post(http: Http, url: str, body: bytes = b"{}") -> HttpAnswer:
    return await http.post(url, headers=HEADERS, body=body)


async def outcome(http: Http, url: str, body: bytes = b"{}") -> HttpAnswer | tuple[type[GatewayError], str, bool]:
    try:
        return await post(http, url, body)
    except GatewayError as error:
        return type(error), error.message, error.retryable


def answering(*responses: bytes) -> Script:
    """A connection on which each request gets the next response, and one more is waited for."""

    async def script(connection: Connection) -> None:
        for response in responses:
            await connection.request()
            await connection.send(response)
        await connection.gone()

    return script


async def forever(connection: Connection) -> None:
    while True:
        await connection.request()
        await connection.send(answer(b"{}"))

"""What the tests of images by URL share: a TLS server of this machine, whose address only these tests allow."""

import asyncio
from collections.abc import Callable, Sequence

from megallm.errors import InvalidRequest
from megallm.providers.image_fetch import Lookup, SafeImages
from tests.providers.authority import Authority, authority
from tests.providers.pictures import PICTURES
from tests.providers.raw_server import LOOPBACK, Connection, RawServer, Script, answer, serving

HOST = "images.example.com"


PNG = PICTURES["png"]


UNREACHABLE = "The image cannot be fetched: its host cannot be reached, or may not be"


class Names:
    """A resolver that gives one answer after the other, the last one for ever, and remembers what it was asked."""

    def __init__(self, *answers: Sequence[str]) -> None:
        self._answers = list(answers) or [[LOOPBACK]]
        self.asked: list[str] = []

    async def __call__(self, host: str) -> Sequence[str]:
        self.asked.append(host)
        return self._answers.pop(0) if len(self._answers) > 1 else self._answers[0]


def images(
    server: RawServer,
    *,
    lookup: Lookup | None = None,
    allowed: Callable[[str], bool] = lambda address: address == LOOPBACK,
    trusting: Authority | None = None,
    max_bytes: int = 100_000,
    seconds: float = 60.0,
) -> SafeImages:
    return SafeImages(
        lookup=lookup or Names(),
        allowed=allowed,
        port=server.port,
        tls=(trusting or authority()).trusted(),
        max_bytes=max_bytes,
        seconds=seconds,
    )


def fetched(
    script: Script, *, host: str = HOST, path: str = "/cat.png", max_bytes: int = 100_000, seconds: float = 60.0
) -> tuple[tuple[str, bytes] | str, RawServer]:
    """What one fetch gives, or the message of its refusal; and the server as it was left."""

    async def run() -> tuple[tuple[str, bytes] | str, RawServer]:
        async with serving(script, tls=authority().certified(HOST)) as server:
            safe = images(server, max_bytes=max_bytes, seconds=seconds)
            return await outcome(safe, f"https://{host}:{server.port}{path}"), server

    return asyncio.run(run())


async def outcome(safe: SafeImages, url: str) -> tuple[str, bytes] | str:
    try:
        return await safe.fetch(url)
    except InvalidRequest as error:
        return error.message


def always(response: bytes) -> Script:
    async def script(connection: Connection) -> None:
        await connection.request()
        await connection.send(response)

    return script


def redirecting(locations: Callable[[int, str], str]) -> Script:
    """The n-th connection is sent on to ``locations(n, authority)``; to an empty one it gives the picture."""

    async def script(connection: Connection) -> None:
        head = await connection.request()
        place = head.lower().partition("host: ")[2].partition("\r\n")[0]
        target = locations(connection.number, place)
        redirect = answer(b"elsewhere", status="302 Found", location=target)
        await connection.send(redirect if target else answer(PNG))

    return script

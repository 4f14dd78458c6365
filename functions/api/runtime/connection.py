"""HTTP/1.1 as far as the Runtime API speaks it: one exchange a connection, over asyncio's streams.

The standard library alone: it must also tell Lambda that nothing else can be imported.
"""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

_LIMIT_BYTES = 1024 * 1024  # of a head, and of what is read ahead
_CONNECT_SECONDS = 5.0


class RuntimeApiFailed(Exception):
    """The Runtime API is not there, or answered what leaves nothing but to end the process."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What the Runtime API answered. Header names are in lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes


@dataclass(frozen=True, slots=True)
class Connection:
    """An open connection, which is closed after its one exchange."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter

    async def answer(self) -> Answer:
        """The answer, whole. Raises RuntimeApiFailed where there is none."""
        try:
            return await _read_answer(self.reader)
        except (OSError, EOFError, ValueError, asyncio.LimitOverrunError) as error:
            raise RuntimeApiFailed(f"no answer: {type(error).__name__}") from error

    def close(self) -> None:
        """Closes it in order; what was written still leaves."""
        self.writer.close()

    def abort(self) -> None:
        """Closes it at once, and whoever waits to write to it hears of that."""
        self.writer.transport.abort()


async def connect(address: str) -> Connection:
    """Connects to *address*, which is ``host:port``. Raises RuntimeApiFailed."""
    try:
        parts = urlsplit(f"//{address}")
        async with asyncio.timeout(_CONNECT_SECONDS):
            reader, writer = await asyncio.open_connection(parts.hostname, parts.port or 80, limit=_LIMIT_BYTES)
    except (OSError, ValueError) as error:  # a TimeoutError is an OSError
        raise RuntimeApiFailed(f"no connection: {type(error).__name__}") from error
    return Connection(reader, writer)


def request_head(method: str, path: str, headers: Mapping[str, str]) -> bytes:
    """The request line and the headers."""
    lines = [f"{method} {path} HTTP/1.1", *(f"{name}: {value}" for name, value in headers.items()), "", ""]
    return "\r\n".join(lines).encode("latin-1", "replace")


def chunk(piece: bytes) -> bytes:
    """A chunk of a body whose length is not known. An empty one would end the body, so it is none."""
    return b"%x\r\n%b\r\n" % (len(piece), piece) if piece else b""


def last_chunk(trailers: Mapping[str, str] | None = None) -> bytes:
    """The end of such a body."""
    lines = "".join(f"{name}: {value}\r\n" for name, value in (trailers or {}).items())
    return f"0\r\n{lines}\r\n".encode("latin-1", "replace")


async def _read_answer(reader: asyncio.StreamReader) -> Answer:
    first, *lines = (await reader.readuntil(b"\r\n\r\n"))[:-4].decode("latin-1").split("\r\n")
    status = int(first.split(" ", 2)[1])
    headers = {name.strip().lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
    if headers.get("transfer-encoding", "").lower() == "chunked":
        body = await _read_chunks(reader)
    else:
        body = await reader.readexactly(int(headers.get("content-length", "0")))
    return Answer(status, headers, body)


async def _read_chunks(reader: asyncio.StreamReader) -> bytes:
    pieces = []
    while size := int((await reader.readuntil(b"\r\n")).partition(b";")[0], 16):
        pieces.append(await reader.readexactly(size))
        await reader.readexactly(2)
    while await reader.readuntil(b"\r\n") != b"\r\n":
        pass  # trailers, of which the Runtime API has none
    return b"".join(pieces)

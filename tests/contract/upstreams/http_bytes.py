"""HTTP/1.1 responses as scripts: what an upstream writes, down to the framing of the body."""

import gzip
from collections.abc import Iterable, Mapping
from http import HTTPStatus

from tests.contract.upstreams.listener import Script, Send

LAST_CHUNK = Send(b"0\r\n\r\n")


def head(status: int, headers: Mapping[str, str]) -> bytes:
    """The status line and the headers."""
    phrase = HTTPStatus(status).phrase if status in HTTPStatus._value2member_map_ else "Unnamed"
    lines = [f"HTTP/1.1 {status} {phrase}", *(f"{name}: {value}" for name, value in headers.items())]
    return "\r\n".join([*lines, "", ""]).encode()


def whole(
    status: int, body: bytes, content_type: str = "application/json", headers: Mapping[str, str] | None = None
) -> Script:
    """A response with a content-length."""
    lines = {"content-type": content_type, "content-length": str(len(body)), **(headers or {})}
    return [Send(head(status, lines) + body)]


def opened(content_type: str, headers: Mapping[str, str] | None = None) -> Send:
    """The head of a 200 whose body comes in chunks."""
    return Send(head(200, {"content-type": content_type, "transfer-encoding": "chunked", **(headers or {})}))


def chunk(piece: bytes) -> Send:
    """One chunk of such a body."""
    return Send(b"%x\r\n%b\r\n" % (len(piece), piece))


def chunked(pieces: Iterable[bytes], content_type: str, headers: Mapping[str, str] | None = None) -> Script:
    """A whole response in chunks, a piece each."""
    return [opened(content_type, headers), *map(chunk, pieces), LAST_CHUNK]


def zipped(pieces: Iterable[bytes], content_type: str) -> Script:
    """The same, with gzip around the body."""
    return chunked([gzip.compress(b"".join(pieces), mtime=0)], content_type, {"content-encoding": "gzip"})

"""What a runtime sends to the Runtime API, taken apart: head, chunks, trailers; a prelude and its payload."""

import json
from dataclasses import dataclass, field
from typing import Any

Json = Any  # what the runtime writes

MARK = b"\0" * 8


@dataclass
class Post:
    """A request, fed as it comes. ``whole`` once its body has ended."""

    line: str
    headers: dict[str, str]
    chunks: list[bytes] = field(default_factory=list)
    trailers: dict[str, str] = field(default_factory=dict)
    whole: bool = False
    _rest: bytes = b""

    @property
    def body(self) -> bytes:
        """What has come of it."""
        return b"".join(self.chunks)

    def feed(self, data: bytes) -> None:
        """The next bytes of the body."""
        self._rest += data
        if self.headers.get("transfer-encoding") == "chunked":
            while not self.whole and self._take_chunk():
                pass
        else:
            self.chunks, self._rest = [self.body + self._rest], b""
            self.whole = len(self.body) >= int(self.headers.get("content-length", "0"))

    def _take_chunk(self) -> bool:
        size_line, end, after = self._rest.partition(b"\r\n")
        if not end:
            return False
        size = int(size_line, 16)
        if size == 0:
            lines, end, _ = after.partition(b"\r\n") if after.startswith(b"\r\n") else after.partition(b"\r\n\r\n")
            if end:
                self.trailers = _fields(lines.decode().split("\r\n")) if lines else {}
                self.whole = True
            return self.whole
        if len(after) < size + 2:
            return False
        assert after[size : size + 2] == b"\r\n"
        self.chunks.append(after[:size])
        self._rest = after[size + 2 :]
        return True


def post_of(head: bytes) -> Post:
    """A request of which the head has come."""
    line, *lines = head.decode("latin-1").removesuffix("\r\n\r\n").split("\r\n")
    post = Post(line, _fields(lines))
    post.whole = "transfer-encoding" not in post.headers and post.headers.get("content-length", "0") == "0"
    return post


def _fields(lines: list[str]) -> dict[str, str]:
    return {name.lower(): value for name, _, value in (line.partition(": ") for line in lines)}


@dataclass(frozen=True, slots=True)
class Answer:
    """A streamed response as API Gateway reads it."""

    prelude: Json
    payload: bytes

    @property
    def status(self) -> int:
        """The status for the client."""
        status: int = self.prelude["statusCode"]
        return status

    @property
    def json(self) -> Json:
        """The payload, where it is JSON."""
        return json.loads(self.payload)


def answer_of(body: bytes) -> Answer:
    """Of the body of a post, which must have its mark."""
    prelude, mark, payload = body.partition(MARK)
    assert mark, f"there is no prelude: {body!r}"
    return Answer(json.loads(prelude), payload)

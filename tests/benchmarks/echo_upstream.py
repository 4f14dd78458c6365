"""A chat-completions upstream that answers each request with its number, out of order, and counts what it is asked.

    python -m tests.benchmarks.echo_upstream PORT

A message "17: …" gets "re: 17", at once or some milliseconds later. GET /calls tells how many calls there were, and for
how many different numbers.
"""

import asyncio
import random
import re
import sys
from collections import Counter

_LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)
_NUMBER = re.compile(rb'"content": ?"(\d+):')
_REPLY = (
    b'{"id":"chatcmpl-1","object":"chat.completion","created":1,"model":"stub","choices":[{"index":0,"message":'
    b'{"role":"assistant","content":"re: %b"},"finish_reason":"stop"}],'
    b'"usage":{"prompt_tokens":7,"completion_tokens":3,"total_tokens":10}}'
)
_WHOLE = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n%b"
_DELAYS = (0.0, 0.0, 0.001, 0.003)


class _Upstream(asyncio.Protocol):
    """One connection; a request comes when the one before is answered."""

    calls: Counter[bytes] = Counter()  # noqa: RUF012  shared on purpose: every connection counts
    chance = random.Random(1)

    def __init__(self) -> None:
        self._received = b""
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self._received += data
        end = self._received.find(b"\r\n\r\n") + 4
        if end < 4:
            return
        length = _LENGTH.search(self._received, 0, end)
        whole = end + (int(length.group(1)) if length else 0)
        if len(self._received) < whole:
            return
        asked, self._received = self._received[:whole], self._received[whole:]
        if asked.startswith(b"GET"):
            self._send(b"[%d,%d]" % (self.calls.total(), len(self.calls)))
            return
        number = _NUMBER.search(asked, end)
        assert number is not None
        self.calls[number[1]] += 1
        loop = asyncio.get_running_loop()
        loop.call_later(self.chance.choice(_DELAYS), self._send, _REPLY % number[1])

    def _send(self, body: bytes) -> None:
        assert self._transport is not None
        self._transport.write(_WHOLE % (len(body), body))


async def main(port: int) -> None:
    """Serves until the process is ended."""
    server = await asyncio.get_running_loop().create_server(_Upstream, "127.0.0.1", port, backlog=1024)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1])))

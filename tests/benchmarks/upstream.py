"""A chat-completions upstream in a process of its own, as cheap as can be: it must not be what is measured.

    python -m tests.benchmarks.upstream PORT

The path's first part says how it answers; where there is none, a request that asks for a stream gets a burst of 200.

    /slow/…         the whole reply after 50 ms
    /delay-N/…      the whole reply after N ms
    /burst-N/…      N events at once, in one write
    /stepped/…      an event now, and one for each POST to /step that comes meanwhile, over another connection
"""

import asyncio
import re
import sys
from collections.abc import Callable

SLOW_SECONDS = 0.05
BURST = 200
STEPS = 20

_REPLY = (
    b'{"id":"chatcmpl-1","object":"chat.completion","created":1,"model":"stub","choices":[{"index":0,"message":'
    b'{"role":"assistant","content":"Rome."},"finish_reason":"stop"}],'
    b'"usage":{"prompt_tokens":7,"completion_tokens":3,"total_tokens":10}}'
)
_WHOLE = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n%b" % (len(_REPLY), _REPLY)
_EMPTY = b"HTTP/1.1 204 No Content\r\n\r\n"
_STREAM = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"
_END = b"0\r\n\r\n"
_HEAD = b'{"id":"chatcmpl-1","object":"chat.completion.chunk","created":1,"model":"stub",'
_CHOICE = b'data: %b"choices":[{"index":0,"delta":%b,"finish_reason":%b}]}\n\n'
_USAGE = b'data: %b"choices":[],"usage":{"prompt_tokens":7,"completion_tokens":%d,"total_tokens":%d}}\n\n'

_LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)
_ASKS_FOR_A_STREAM = re.compile(rb'"stream": ?true')


def _event(text: bytes) -> bytes:
    return _CHOICE % (_HEAD, b'{"content":"%b"}' % text, b"null")


def _opening() -> bytes:
    return _CHOICE % (_HEAD, b'{"role":"assistant","content":""}', b"null")


def _ending(events: int) -> bytes:
    return _CHOICE % (_HEAD, b"{}", b'"stop"') + _USAGE % (_HEAD, events, events + 7) + b"data: [DONE]\n\n"


def _chunk(data: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(data), data)


def _burst(events: int) -> bytes:
    """The opening, *events* pieces of text as a model sends them, and the end, each in a chunk, all in one piece."""
    pieces = [_opening(), *(_event(b" word%d" % number) for number in range(events)), _ending(events)]
    return _STREAM + b"".join(map(_chunk, pieces)) + _END


class _Upstream(asyncio.Protocol):
    """One connection."""

    bursts: dict[int, bytes] = {}  # noqa: RUF012  shared on purpose: a reply is made once
    stepping: list[Callable[[], None]] = []  # noqa: RUF012  what the next POST to /step sets off

    def __init__(self) -> None:
        self._received = b""
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self._received += data
        while (end := self._received.find(b"\r\n\r\n") + 4) > 3:
            length = _LENGTH.search(self._received, 0, end)
            whole = end + (int(length.group(1)) if length else 0)
            if len(self._received) < whole:
                return
            path = self._received.split(b" ", 2)[1]
            body = self._received[end:whole]
            self._received = self._received[whole:]
            self._answer(path, body)

    def _answer(self, path: bytes, body: bytes) -> None:
        assert self._transport is not None
        mode = path.split(b"/")[1].decode()
        if mode == "slow":
            asyncio.get_running_loop().call_later(SLOW_SECONDS, self._transport.write, _WHOLE)
        elif mode.startswith("delay-"):
            seconds = int(mode.removeprefix("delay-")) / 1000
            asyncio.get_running_loop().call_later(seconds, self._transport.write, _WHOLE)
        elif mode == "step":
            for step in self.stepping:
                step()
            self._transport.write(_EMPTY)
        elif mode == "stepped":
            self._step(0)
        elif _ASKS_FOR_A_STREAM.search(body):
            events = int(mode.removeprefix("burst-")) if mode.startswith("burst-") else BURST
            if events not in self.bursts:
                self.bursts[events] = _burst(events)
            self._transport.write(self.bursts[events])
        else:
            self._transport.write(_WHOLE)

    def _step(self, number: int) -> None:
        assert self._transport is not None
        if number == 0:
            self._transport.write(_STREAM + _chunk(_opening()))
        self.stepping.clear()
        if number < STEPS:
            self._transport.write(_chunk(_event(b" word%d" % number)))
            self.stepping.append(lambda: self._step(number + 1))
        else:
            self._transport.write(_chunk(_ending(STEPS)) + _END)


async def main(port: int) -> None:
    """Serves until the process is ended."""
    server = await asyncio.get_running_loop().create_server(_Upstream, "127.0.0.1", port, backlog=1024)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1])))

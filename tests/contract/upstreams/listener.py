"""A TCP server that plays scripts: it knows HTTP's framing of requests, and sends exactly the bytes it is told to."""

import asyncio
import socket
import struct
import threading
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from types import TracebackType
from typing import Self

PATIENCE_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class Received:
    """A request as it came. Header names are in lower case."""

    method: str
    target: str
    headers: Mapping[str, str]
    body: bytes


@dataclass(frozen=True, slots=True)
class Send:
    """Bytes, written as they are."""

    data: bytes


@dataclass(frozen=True, slots=True)
class Trickle:
    """Bytes, one at a time."""

    data: bytes


@dataclass(frozen=True, slots=True)
class Repeat:
    """The same bytes again and again until the gate is released."""

    data: bytes
    gate: "Gate"
    every_seconds: float = 0.01


@dataclass(frozen=True, slots=True)
class Stall:
    """Nothing more until the peer goes away."""


@dataclass(frozen=True, slots=True)
class Reset:
    """The connection is torn down with a TCP reset."""


@dataclass(frozen=True, slots=True)
class HalfClose:
    """Our side is closed; the peer's stays open."""


@dataclass(frozen=True, slots=True)
class Close:
    """The connection is closed in order."""


@dataclass(frozen=True, slots=True)
class AtGate:
    """Waits at the listener's own gate."""


class Gate:
    """A point of a script at which the upstream waits, for a thread that watches it."""

    def __init__(self) -> None:
        self.reached = threading.Event()
        self.released = threading.Event()

    def wait_until_reached(self) -> None:
        """Until the upstream is there."""
        assert self.reached.wait(PATIENCE_SECONDS), "the upstream did not come that far"

    def release(self) -> None:
        """Lets the upstream go on."""
        self.released.set()


Step = Send | Trickle | Repeat | Gate | AtGate | Stall | Reset | HalfClose | Close
Script = Sequence[Step]
Answer = Callable[[Received], Script]


@dataclass
class Exchange:
    """One request and what became of its connection."""

    received: Received
    peer_left: threading.Event = field(default_factory=threading.Event)

    def wait_until_peer_left(self) -> None:
        """Until the gateway has closed the connection, before the script was over."""
        assert self.peer_left.wait(PATIENCE_SECONDS), "the gateway keeps the upstream call"


class Listener:
    """A server on 127.0.0.1 between ``with`` and its end. What it answers is told by ``play``, as often as one likes.

    ``gate`` is new with each; ``exchanges`` are the requests since then.
    """

    def __init__(self) -> None:
        self.gate = Gate()
        self._answer: Answer = lambda _: [Close()]
        self.exchanges: list[Exchange] = []
        self._ready: Future[int] = Future()
        self._loop = asyncio.new_event_loop()
        self._stop = asyncio.Event()
        self._thread = threading.Thread(target=self._run, name="upstream")
        self._open: set[asyncio.Task[None]] = set()
        self._idle: set[asyncio.StreamWriter] = set()
        self.connections = 0  # that were ever opened
        self.port = 0

    @property
    def url(self) -> str:
        """Its root."""
        return f"http://127.0.0.1:{self.port}"

    def play(self, *answers: Answer) -> None:
        """From now on: these answers in turn, the last one again and again. Forgets earlier requests."""
        self.exchanges = []
        self.gate = Gate()
        waiting = list(answers)
        self._answer = lambda received: (waiting.pop(0) if len(waiting) > 1 else waiting[0])(received)

    def close_idle(self) -> None:
        """Closes the connections that wait for a next request, as servers do after a while."""

        async def close() -> None:
            for writer in self._idle:
                writer.close()

        asyncio.run_coroutine_threadsafe(close(), self._loop).result(PATIENCE_SECONDS)

    def __enter__(self) -> Self:
        self._thread.start()
        self.port = self._ready.result(PATIENCE_SECONDS)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join(PATIENCE_SECONDS)

    def _run(self) -> None:
        try:
            self._loop.run_until_complete(self._serve())
        finally:
            self._loop.close()

    async def _serve(self) -> None:
        def protocol() -> asyncio.StreamReaderProtocol:
            return asyncio.StreamReaderProtocol(_Reader(loop=self._loop), self._connected, loop=self._loop)

        server = await self._loop.create_server(protocol, "127.0.0.1", 0)
        self._ready.set_result(server.sockets[0].getsockname()[1])
        await self._stop.wait()
        server.close()
        for task in self._open:
            task.cancel()
        if self._open:
            await asyncio.wait(self._open)

    def _script(self, received: Received) -> Script:
        return [self.gate if isinstance(step, AtGate) else step for step in self._answer(received)]

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        assert isinstance(reader, _Reader)
        task = asyncio.current_task()
        assert task is not None
        self._open.add(task)
        self._idle.add(writer)
        self.connections += 1
        writer.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        try:
            while (received := await _request(reader)) is not None:
                self._idle.discard(writer)
                exchange = Exchange(received)
                self.exchanges.append(exchange)
                if not await _play(self._script(received), reader, writer, exchange):
                    break
                self._idle.add(writer)
        except (ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
            pass  # the peer is gone, or the server stops: there is nobody to tell
        finally:
            self._open.discard(task)
            self._idle.discard(writer)
            writer.close()


class _Reader(asyncio.StreamReader):
    """A reader that tells at once that the peer has left, without anyone's reading."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        super().__init__(loop=loop)
        self.peer_left = asyncio.Event()

    def feed_eof(self) -> None:
        self.peer_left.set()
        super().feed_eof()

    def set_exception(self, exc: Exception) -> None:
        self.peer_left.set()
        super().set_exception(exc)


async def _request(reader: asyncio.StreamReader) -> Received | None:
    """The next request; None where the peer closes instead."""
    try:
        head = await reader.readuntil(b"\r\n\r\n")
    except asyncio.IncompleteReadError:
        return None
    first, *lines = head.decode("latin-1").rstrip("\r\n").split("\r\n")
    method, target, _ = first.split(" ", 2)
    headers = {name.strip().lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
    body = await reader.readexactly(int(headers.get("content-length", "0")))
    return Received(method, target, headers, body)


async def _play(script: Script, reader: _Reader, writer: asyncio.StreamWriter, exchange: Exchange) -> bool:
    """Plays the script until the peer leaves. Whether the connection may be used again."""
    leaving = asyncio.ensure_future(reader.peer_left.wait())
    playing = asyncio.ensure_future(_steps(script, writer))
    try:
        await asyncio.wait([leaving, playing], return_when=asyncio.FIRST_COMPLETED)
        if playing.done():
            return playing.result()
    except ConnectionError:
        pass  # of a write, which may learn of it before the reader does
    finally:
        for task in (leaving, playing):
            task.cancel()
        await asyncio.gather(leaving, playing, return_exceptions=True)
    exchange.peer_left.set()
    return False


async def _steps(script: Script, writer: asyncio.StreamWriter) -> bool:
    """Whether the connection may be used again."""
    for step in script:
        match step:
            case Send():
                writer.write(step.data)
                await writer.drain()
            case Trickle():
                for at in range(len(step.data)):
                    writer.write(step.data[at : at + 1])
                    await writer.drain()
                    await asyncio.sleep(0)
            case Repeat():
                step.gate.reached.set()
                while not step.gate.released.is_set():
                    writer.write(step.data)
                    await writer.drain()
                    await asyncio.sleep(step.every_seconds)
            case Gate():
                step.reached.set()
                # Not in a thread: one that waits for a gate that nobody opens would be missing at the next gate.
                async with asyncio.timeout(PATIENCE_SECONDS):
                    while not step.released.is_set():  # noqa: ASYNC110  it is a thread's event
                        await asyncio.sleep(0.005)
            case AtGate():
                raise AssertionError("the listener puts its gate in its place")
            case Stall():
                await asyncio.Event().wait()
            case Reset():
                linger = struct.pack("ii", 1, 0)
                writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
                writer.transport.abort()
                return False
            case HalfClose():
                writer.write_eof()
                await asyncio.Event().wait()
            case Close():
                return False
    return True


def refusing_port() -> socket.socket:
    """A port at which nobody listens, and which nobody else can take as long as the socket is open."""
    held = socket.socket()
    held.bind(("127.0.0.1", 0))
    return held

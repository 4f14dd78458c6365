"""Batches and results that are larger than anybody wants to hold in memory."""

import asyncio
import socket
import threading
import time
import tracemalloc
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from hashlib import sha256
from typing import Any

import httpx
import pytest
from starlette.types import Message

from functions.api.app import create_app
from megallm.operations.batch_ports import ObjectChanged, ObjectHead
from megallm.operations.gateway import Gateway
from tests.batch_fakes import MemoryObjects, MemoryWriter, Process, World
from tests.contract.server import RunningServer
from tests.fakes import KEY
from tests.functions.batches.talking import PATH, Talk, gateway_of

MEBIBYTE = 1024 * 1024
LINE = b'{"custom_id":"a","result":{"type":"canceled"}}\n'
HEADERS = {"x-api-key": KEY}
PATIENCE_SECONDS = 90.0


def piece_of(number: int) -> bytes:
    """A mebibyte that no other piece is like."""
    return (b"%08d" % number) * (MEBIBYTE // 8)


class LongResults(MemoryObjects):
    """A bucket in which every results.jsonl has so many pieces, made when they are read; others are in memory."""

    def __init__(self, world: World, pieces: int, breaks_at: int | None = None) -> None:
        super().__init__(world, Process())
        self.pieces = pieces
        self.breaks_at = breaks_at
        self.made = 0
        self.closed = threading.Event()

    def head(self, key: str, version: str = "") -> ObjectHead | None:
        return ObjectHead(key, "v", self.pieces * MEBIBYTE, {})

    def stream(self, key: str, version: str = "") -> Iterator[bytes]:
        assert version == "v"
        try:
            for number in range(self.pieces):
                if number == self.breaks_at:
                    raise ObjectChanged(key)
                self.made += 1
                yield piece_of(number)
        finally:
            self.closed.set()


class Discarded(MemoryWriter):
    """An object that nobody keeps."""

    def __init__(self, objects: MemoryObjects) -> None:
        super().__init__("", objects)
        self.size = 0
        self.aborted = threading.Event()

    def write(self, piece: bytes) -> None:
        self.size += len(piece)

    def commit(self) -> str:
        return "v"

    def abort(self) -> None:
        self.aborted.set()


class NoKeeping(MemoryObjects):
    """A bucket that keeps nothing."""

    def __init__(self, world: World) -> None:
        super().__init__(world, Process())
        self.written = Discarded(self)

    def writer(self, key: str) -> Discarded:
        return self.written


def ended(objects: LongResults, world: World) -> tuple[Gateway, str]:
    """A gateway over that bucket, and the path of the results in it."""
    talk = Talk(world)
    batch_id = talk.create("a")["id"]
    talk.end(batch_id)
    return over(objects, world), f"{PATH}/{batch_id}/results"


def over(objects: MemoryObjects, world: World) -> Gateway:
    return replace(gateway_of(world), batches=replace(world.ports(), objects=objects))


def test_100_mb_of_results_arrive_whole() -> None:
    """C42: results of any size, in order."""
    world = World()
    objects = LongResults(world, 100)
    composed, path = ended(objects, world)
    arrived, size = sha256(), 0

    with (
        RunningServer(composed) as server,
        httpx.stream("GET", server.url + path, headers=HEADERS, timeout=PATIENCE_SECONDS) as answer,
    ):
        for piece in answer.iter_bytes():
            arrived.update(piece)
            size += len(piece)

    assert (answer.status_code, size) == (200, 100 * MEBIBYTE)
    assert arrived.digest() == sha256(b"".join(map(piece_of, range(100)))).digest()
    assert objects.closed.wait(PATIENCE_SECONDS)


def test_results_are_read_no_faster_than_the_client_reads() -> None:
    """Memory is flat: beyond a piece or two there is only what the system's socket buffers hold."""
    world = World()
    objects = LongResults(world, 200)
    composed, path = ended(objects, world)

    with RunningServer(composed) as server, socket.socket() as client:
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 64 * 1024)
        client.connect(("127.0.0.1", server.port))
        client.sendall(f"GET {path} HTTP/1.1\r\nhost: g\r\nx-api-key: {KEY}\r\n\r\n".encode())
        assert client.recv(1000).startswith(b"HTTP/1.1 200")
        before = -1
        while before != objects.made:  # until nothing moves any more
            before = objects.made
            time.sleep(0.2)
        read = objects.made
        client.close()
        closed = objects.closed.wait(PATIENCE_SECONDS)

    assert 1 <= read < 20
    assert closed  # and a client that goes away ends the reading
    assert objects.made < 25


def test_a_download_holds_one_piece_at_a_time() -> None:
    """Measured: what Python allocates for 100 MB."""
    world = World()
    composed, path = ended(LongResults(world, 100), world)
    app, size = create_app(composed), 0

    async def send(message: Message) -> None:
        nonlocal size
        size += len(message.get("body", b""))

    async def receive() -> Message:
        await asyncio.sleep(PATIENCE_SECONDS)
        return {"type": "http.disconnect"}

    scope: Any = {  # Any: an ASGI scope
        "type": "http",
        "method": "GET",
        "path": path,
        "raw_path": path.encode(),
        "query_string": b"",
        "headers": [(b"x-api-key", KEY.encode())],
        "root_path": "",
        "scheme": "http",
    }
    tracemalloc.start()
    asyncio.run(app(scope, receive, send))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    assert size == 100 * MEBIBYTE
    assert peak < 8 * MEBIBYTE


def test_results_that_break_off_are_not_taken_for_whole() -> None:
    """The length was told: the client sees that something is missing."""
    world = World()
    composed, path = ended(LongResults(world, 4, breaks_at=2), world)

    with RunningServer(composed) as server, pytest.raises(httpx.RemoteProtocolError):
        httpx.get(server.url + path, headers=HEADERS, timeout=PATIENCE_SECONDS)


def test_results_that_vanish_before_the_first_piece_are_not_found() -> None:
    """That is still a status."""
    world = World()
    composed, path = ended(LongResults(world, 4, breaks_at=0), world)

    answer = Talk(world, composed).send("GET", path)

    assert answer.status_code == 404


async def large_body(mebibytes: int) -> AsyncIterator[bytes]:
    """A batch of requests of some 100 KB each, in pieces as a server hands them on."""
    request = b'{"custom_id":"item-%d","params":{"model":"claude-test","system":"' + b"x" * 100_000 + b'"}}'
    sent = b'{"requests":['
    for number in range(mebibytes * MEBIBYTE // len(request)):
        sent += (b"," if number else b"") + request % number
        while len(sent) > 65536:
            yield sent[:65536]
            sent = sent[65536:]
    yield sent + b"]}"


def test_an_upload_is_never_in_memory_as_a_whole() -> None:
    """Measured: what Python allocates for 100 MB."""
    world = World()
    objects = NoKeeping(world)
    talk = Talk(world, over(objects, world))

    tracemalloc.start()
    answer = talk.send("POST", content=large_body(100))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    assert (answer.status_code, answer.json()["request_counts"]["processing"]) == (200, 1047)
    assert objects.written.size > 99 * MEBIBYTE
    assert peak < 24 * MEBIBYTE


def test_a_refusal_reaches_a_client_that_is_still_sending() -> None:
    """C09: the rest is read and thrown away, or the answer would be lost in a reset connection."""

    def body() -> Iterator[bytes]:
        yield b'{"requests":[5,'
        for _ in range(40):
            yield b" " * MEBIBYTE

    world = World()
    with RunningServer(gateway_of(world)) as server:
        answer = httpx.post(server.url + PATH, headers=HEADERS, content=body(), timeout=PATIENCE_SECONDS)

    assert (answer.status_code, answer.json()["error"]["param"]) == (400, "requests.0")


def test_a_client_that_goes_away_while_it_sends_leaves_nothing() -> None:
    """C30: what was uploaded is thrown away, and there is no batch."""
    world = World()
    objects = NoKeeping(world)

    with RunningServer(over(objects, world)) as server:
        with socket.socket() as client:
            client.connect(("127.0.0.1", server.port))
            head = f"POST {PATH} HTTP/1.1\r\nhost: g\r\nx-api-key: {KEY}\r\ncontent-length: 9000000\r\n\r\n"
            client.sendall(head.encode() + b'{"requests":[{"custom_id":"a","params":{}}' + b" " * 2_000_000)
        aborted = objects.written.aborted.wait(PATIENCE_SECONDS)

    assert aborted
    assert world.batches == {}

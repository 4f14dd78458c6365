"""A reply's head and the first of its body leave together, and nothing else waits or is lost."""

import asyncio
import socket
import threading

import pytest

from functions.api.app import create_app
from functions.api.gathering import GatheringTransport
from functions.api.server import build_server
from tests.fakes import ScriptedProvider, gateway, text_reply

HEAD = b"HTTP/1.1 200 OK\r\n\r\n"


class Recording(asyncio.Transport):
    """Keeps each write apart."""

    def __init__(self) -> None:
        super().__init__()
        self.written: list[bytes] = []

    def write(self, data: bytes | bytearray | memoryview) -> None:
        self.written.append(bytes(data))

    def close(self) -> None:
        self.written.append(b"closed")


def written(*pieces: bytes, turns: int = 0, close: bool = False) -> list[bytes]:
    """What a connection gets of these writes; of what waits still, after so many turns of the loop."""

    async def write() -> list[bytes]:
        recording = Recording()
        transport = GatheringTransport(recording, asyncio.get_running_loop())
        for piece in pieces:
            transport.write(piece)
        for _ in range(turns):
            await asyncio.sleep(0)
        if close:
            transport.close()
        return list(recording.written)

    return asyncio.run(write())


def test_a_head_leaves_with_the_first_of_its_body() -> None:
    """And what comes then leaves at once, without waiting for the turn's end."""
    assert written(HEAD, b"first", b"second") == [HEAD + b"first", b"second"]


def test_a_head_alone_waits_no_longer_than_the_turn() -> None:
    """A body may take its time."""
    assert (written(HEAD), written(HEAD, turns=1)) == ([], [HEAD])


def test_closing_sends_what_waits() -> None:
    """An empty reply has nothing but a head."""
    assert written(HEAD, close=True) == [HEAD, b"closed"]


@pytest.mark.parametrize("path", ["/health", "/v1/nothing"])
def test_a_client_that_has_ended_its_side_gets_its_reply(path: str) -> None:
    """It sends no more, but reads: asyncio closes the connection in the very turn in which the reply is written."""
    listener = socket.create_server(("127.0.0.1", 0))
    app = create_app(gateway(ScriptedProvider(text_reply("Rome."))))
    started = threading.Event()
    server = build_server(app, host="127.0.0.1", port=0, on_started=started.set)
    thread = threading.Thread(target=lambda: asyncio.run(server.serve(sockets=[listener])))
    thread.start()
    assert started.wait(60)

    replies = []
    for _ in range(20):
        with socket.create_connection(listener.getsockname(), timeout=60) as client:
            client.sendall(b"GET %b HTTP/1.1\r\nhost: localhost\r\n\r\n" % path.encode())
            client.shutdown(socket.SHUT_WR)
            replies.append(b"".join(iter(lambda: client.recv(65536), b"")))
    server.should_exit = True
    thread.join(60)

    assert [reply[:9] for reply in replies] == [b"HTTP/1.1 "] * 20
    assert all(reply.endswith(b"}") for reply in replies)

"""A client that goes away ends the call at the upstream: its connection is closed, and the slot is free (C30)."""

import socket
from types import TracebackType
from typing import Self

from pydantic_core import to_json

from tests.contract.upstreams.asking import QUESTION, Mode
from tests.contract.upstreams.dialect import Dialect
from tests.contract.upstreams.faults import half
from tests.contract.upstreams.listener import AtGate, Listener, Stall
from tests.contract.upstreams.staging import Stage, model_for
from tests.fakes import KEY


class Caller:
    """A client that can leave at any moment: its socket."""

    def __init__(self, stage: Stage, dialect: Dialect, mode: Mode) -> None:
        self._socket = socket.create_connection(("127.0.0.1", stage.server.port), timeout=90)
        body = to_json({**QUESTION, "model": model_for(dialect), "stream": mode == "stream"})
        head = (
            "POST /v1/messages HTTP/1.1",
            "host: 127.0.0.1",
            f"x-api-key: {KEY}",
            "content-type: application/json",
            f"content-length: {len(body)}",
        )
        self._socket.sendall("\r\n".join((*head, "", "")).encode() + body)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._socket.close()

    def read_until(self, text: bytes) -> None:
        """Until the response has come so far."""
        seen = b""
        while text not in seen:
            piece = self._socket.recv(65536)
            assert piece, f"the response ended: {seen!r}"
            seen += piece


def test_leaving_before_the_first_byte_closes_the_upstream(
    upstream: Listener, gateway: Stage, dialect: Dialect, mode: Mode
) -> None:
    """The upstream has got the request, and has not answered at all."""
    upstream.play(lambda _: [AtGate(), Stall()])

    with Caller(gateway, dialect, mode):
        upstream.gate.wait_until_reached()

    upstream.exchanges[-1].wait_until_peer_left()
    gateway.limiter.wait_until_empty()


def test_leaving_a_stream_in_its_middle_closes_the_upstream(
    upstream: Listener, gateway: Stage, dialect: Dialect
) -> None:
    """What was used until then is settled."""
    upstream.play(lambda received: half(dialect, received))

    with Caller(gateway, dialect, "stream") as caller:
        caller.read_until(b"Hello")

    upstream.exchanges[-1].wait_until_peer_left()
    gateway.limiter.wait_until_empty()
    assert gateway.limiter.settled[-1] is not None


def test_leaving_in_the_middle_of_a_plain_reply_closes_the_upstream(
    upstream: Listener, gateway: Stage, dialect: Dialect
) -> None:
    """The upstream has sent half of its JSON."""
    upstream.play(lambda received: half(dialect, received))

    with Caller(gateway, dialect, "plain"):
        upstream.gate.wait_until_reached()

    upstream.exchanges[-1].wait_until_peer_left()
    gateway.limiter.wait_until_empty()

"""Every way a call can end, through the real app: its slot is free again, and its key is charged what it used (C37)."""

import socket
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

import httpx
import pytest
from pydantic_core import to_json

from functions.api.app import create_app
from megallm.errors import InvalidRequest, UpstreamFailed, UpstreamOverloaded, UpstreamTimedOut
from megallm.keys import Caller
from megallm.limits.state import MINUTE, SECOND, Settle, State, Write
from megallm.limits.tiers import load
from megallm.messages.calls import Adaptation
from megallm.messages.requests import MessagesRequest, parse
from megallm.operations.create_message import create_message
from megallm.operations.route_call import Sender
from megallm.operations.stream_message import stream_message
from megallm.operations.trace import Trace
from megallm.settings import Settings
from megallm.stores.limits import DynamoLimiter
from tests.contract.server import PATIENCE_SECONDS, RunningServer
from tests.fakes import KEY, KEY_RECORD, Pause, ScriptedProvider, Step, gateway, text_reply
from tests.limits.memory_table import MemoryTable
from tests.limits.simulated_time import BEGIN, SimulatedTime, simulated

NOW = BEGIN * SECOND
BODY: dict[str, Any] = {
    "model": "claude-test",
    "max_tokens": 10,
    "messages": [{"role": "user", "content": "Hello " * 100}],
}
RESERVED = len(to_json({**BODY, "stream": True})) // 4

# 7 tokens of input, and one for each piece of the text.
START, BLOCK, FIRST, SECOND_PIECE, *END = text_reply("Hel", "lo")


class WatchedTable(MemoryTable):
    """A table on whose settlements another thread can wait."""

    def __init__(self) -> None:
        super().__init__()
        self.settled = threading.Event()

    async def update(self, item_id: str, write: Write) -> State:
        state = await super().update(item_id, write)
        if isinstance(write, Settle):
            self.settled.set()
        return state


@dataclass(frozen=True)
class Exit:
    """What the upstream does, and what that must cost; ``None`` is what was reserved."""

    script: Sequence[Step]
    status: int
    tokens: int | None
    stream: bool = False
    refusal: InvalidRequest | None = None
    adaptations: tuple[Adaptation, ...] = ()
    settings: Settings = field(default_factory=Settings)
    ends: str = ""
    """The event with which a stream ends."""


STRICT = Settings(strict=True)

EXITS = {
    "a reply": Exit(text_reply("Hel", "lo"), 200, 10),
    "a stream": Exit(text_reply("Hel", "lo"), 200, 10, stream=True, ends="message_stop"),
    "the upstream refuses": Exit([UpstreamOverloaded("full")], 529, 0),
    "the upstream refuses a stream": Exit([UpstreamOverloaded("full")], 529, 0, stream=True),
    "the upstream breaks off": Exit([START, BLOCK, FIRST, UpstreamFailed("gone")], 500, 8),
    "the upstream breaks a stream off": Exit(
        [START, BLOCK, FIRST, UpstreamFailed("gone")], 200, 8, stream=True, ends="error"
    ),
    "the stream just ends": Exit([START, BLOCK, FIRST], 200, 8, stream=True, ends="error"),
    "found invalid after it was let in": Exit([], 400, 0, refusal=InvalidRequest("no")),
    "a stream found invalid after it was let in": Exit([], 400, 0, stream=True, refusal=InvalidRequest("no")),
    "adapted under strict mode": Exit([], 400, 0, adaptations=(Adaptation("top_k", "dropped"),), settings=STRICT),
    "a crash": Exit([RuntimeError("bug")], 500, None),
    "a crash in a stream": Exit([START, BLOCK, FIRST, RuntimeError("bug")], 200, 8, stream=True, ends="error"),
}

Serve = Callable[[ScriptedProvider, Settings], RunningServer]


@pytest.fixture
def table() -> WatchedTable:
    return WatchedTable()


@pytest.fixture
def serve(table: WatchedTable) -> Iterator[Serve]:
    """Starts the app with the real limiter."""
    servers = []

    def start(provider: ScriptedProvider, settings: Settings) -> RunningServer:
        limiter = DynamoLimiter(table, load(), clock=lambda: NOW)
        server = RunningServer(gateway(provider, settings=settings, limiter=limiter))
        server.start()
        servers.append(server)
        return server

    yield start
    for server in servers:
        server.stop()
    for server in servers:
        server.join()


def settled(table: WatchedTable) -> tuple[int, int, int]:
    """Requests and tokens that are charged, and slots that are taken, once the call is settled."""
    assert table.settled.wait(PATIENCE_SECONDS)
    state = table.items[KEY_RECORD.id]
    tokens = -(-(state.tokens - NOW) * 100_000 // MINUTE)
    return (state.requests - NOW) * 50 // MINUTE, tokens, len(state.leases)


def send(server: RunningServer, **fields: object) -> httpx.Response:
    body = {**BODY, **fields}
    return httpx.post(f"{server.url}/v1/messages", json=body, headers={"x-api-key": KEY}, timeout=PATIENCE_SECONDS)


@pytest.mark.parametrize("how", EXITS)
def test_every_end_frees_the_slot_and_charges_what_was_used(serve: Serve, table: WatchedTable, how: str) -> None:
    """Normal ends, refusals, deaths, crashes."""
    case = EXITS[how]
    provider = ScriptedProvider(case.script or text_reply("never"), adaptations=case.adaptations, refusal=case.refusal)
    server = serve(provider, case.settings)

    answer = send(server, stream=case.stream)

    assert answer.status_code == case.status
    if case.ends:
        assert answer.text.strip().split("\n\n")[-1].startswith(f"event: {case.ends}\n")
    tokens = len(to_json({**BODY, "stream": case.stream})) // 4 if case.tokens is None else case.tokens
    assert settled(table) == (1, tokens, 0)


def test_a_client_that_leaves_a_stream_is_charged_what_had_come(serve: Serve, table: WatchedTable) -> None:
    """While the upstream goes on."""
    pause = Pause()
    server = serve(ScriptedProvider([START, BLOCK, FIRST, pause, SECOND_PIECE, *END]), Settings())

    with httpx.stream(
        "POST",
        f"{server.url}/v1/messages",
        json={**BODY, "stream": True},
        headers={"x-api-key": KEY},
        timeout=PATIENCE_SECONDS,
    ) as answer:
        server.wait_until_reached(pause)
        assert "anthropic-ratelimit-requests-remaining" in answer.headers

    assert settled(table) == (1, 8, 0)


def test_a_client_that_leaves_before_a_reply_keeps_its_reservation(serve: Serve, table: WatchedTable) -> None:
    """Its upstream may well have been paid."""
    pause = Pause()
    server = serve(ScriptedProvider([pause, *text_reply("never")]), Settings())

    body = to_json(BODY)
    head = f"POST /v1/messages HTTP/1.1\r\nhost: gateway\r\nx-api-key: {KEY}\r\ncontent-length: {len(body)}\r\n\r\n"

    with socket.create_connection(("127.0.0.1", server.port), timeout=PATIENCE_SECONDS) as connection:
        connection.sendall(head.encode() + body)
        server.wait_until_reached(pause)

    assert settled(table) == (1, len(body) // 4, 0)


def test_a_server_that_is_stopped_settles_what_it_breaks_off(serve: Serve, table: WatchedTable) -> None:
    """The key's other calls go on somewhere else, with all slots."""
    pause = Pause()
    server = serve(ScriptedProvider([START, BLOCK, FIRST, pause, SECOND_PIECE, *END]), Settings())

    with ThreadPoolExecutor(1) as pool:
        answer = pool.submit(send, server, stream=True)
        server.wait_until_reached(pause)
        server.stop()
        assert answer.result().text.strip().split("\n\n")[-1].startswith("event: error\n")

    assert settled(table) == (1, 8, 0)


@pytest.mark.parametrize(
    ("status", "fields"), [(400, {"max_tokens": "x"}), (400, {"thread": {"type": "create"}}), (404, {"model": "none"})]
)
def test_what_is_refused_before_it_is_let_in_counts_nowhere(
    serve: Serve, table: WatchedTable, status: int, fields: dict[str, object]
) -> None:
    """Nothing is written at all."""
    server = serve(ScriptedProvider(), Settings())

    assert (send(server, **fields).status_code, table.writes) == (status, [])


@pytest.mark.parametrize(
    ("script", "stream", "status", "tokens"),
    [
        ([Pause()], False, 504, len(to_json({**BODY, "stream": False})) // 4),
        ([START, BLOCK, FIRST, Pause()], True, 200, 8),
    ],
)
def test_the_deadline_frees_the_slot_and_charges_what_was_used(
    table: WatchedTable, script: Sequence[Step], stream: bool, status: int, tokens: int
) -> None:
    """In simulated time: real time may be over before anything came."""
    limiter = DynamoLimiter(table, load(), clock=lambda: NOW)
    composed = gateway(ScriptedProvider(script), settings=Settings(upstream_timeout_seconds=30), limiter=limiter)

    async def ask() -> httpx.Response:
        transport = httpx.ASGITransport(create_app(composed))
        async with httpx.AsyncClient(transport=transport, base_url="http://gateway") as client:
            return await client.post("/v1/messages", json={**BODY, "stream": stream}, headers={"x-api-key": KEY})

    answer = simulated(ask(), SimulatedTime())

    assert answer.status_code == status
    assert answer.text.strip().split("\n\n")[-1].startswith("event: error\n") == stream
    assert settled(table) == (1, tokens, 0)


@pytest.mark.parametrize("stream", [False, True])
def test_the_end_of_the_functions_time_settles_before_it(table: WatchedTable, stream: bool) -> None:
    """A Lambda function that is stopped settles nothing: its calls end a second earlier."""
    limiter = DynamoLimiter(table, load(), clock=lambda: NOW)
    composed = gateway(ScriptedProvider([Pause()]), limiter=limiter)
    body = to_json({**BODY, "stream": stream})
    call = (
        composed,
        Caller(KEY_RECORD.id, "basic"),
        parse(body, MessagesRequest),
        Sender(seconds_left=1.1),
        Trace("req_1"),
        body,
    )

    with pytest.raises(UpstreamTimedOut):
        simulated(stream_message(*call) if stream else create_message(*call), SimulatedTime())

    assert settled(table) == (1, len(body) // 4, 0)

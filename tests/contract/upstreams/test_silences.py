"""Upstreams that say nothing, or nothing that matters: the client is kept informed, and in the end told (C28, C29)."""

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from itertools import product
from pathlib import Path
from typing import Any, get_args

import httpx
import pytest

from megallm.operations.stream_message import Patience
from tests.contract.upstreams.asking import QUESTION, Mode, ask_beside_others, failed
from tests.contract.upstreams.dialect import Dialect
from tests.contract.upstreams.dialects import DIALECTS, good
from tests.contract.upstreams.faults import FAILED, STALLS, TIMED_OUT, half_of, open_answer
from tests.contract.upstreams.http_bytes import chunk
from tests.contract.upstreams.listener import Answer, Close, Gate, Listener, Received, Repeat, Script
from tests.contract.upstreams.staging import Stage, catalogue, model_for, stage
from tests.fakes import KEY

Frame = tuple[str, Any]  # the event's name, and its data as parsed JSON


@pytest.fixture(scope="module")
def impatient(upstream: Listener, credentials: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    """A gateway that begins a message after a moment's silence, and pings after another."""
    patience = Patience(first_event=0.05, ping=0.05)
    with stage(catalogue(upstream.url), tmp_path_factory.mktemp("impatient"), patience=patience) as running:
        yield running


@contextmanager
def frames_of(running: Stage, dialect: Dialect) -> Iterator[tuple[httpx.Response, Iterator[Frame]]]:
    """The response, and its frames as they come, pings too."""
    body = {**QUESTION, "model": model_for(dialect), "stream": True}
    with (
        httpx.Client(timeout=90) as client,
        client.stream("POST", f"{running.server.url}/v1/messages", headers={"x-api-key": KEY}, json=body) as response,
    ):
        yield response, _frames(response)


def _frames(response: httpx.Response) -> Iterator[Frame]:
    name = ""
    for line in response.iter_lines():
        if line.startswith("event: "):
            name = line.removeprefix("event: ")
        elif line.startswith("data: "):
            yield name, json.loads(line.removeprefix("data: "))


def names(frames: Iterator[Frame]) -> list[str]:
    """Of all that come, but pings."""
    return [name for name, _ in frames if name != "ping"]


REST = [
    "content_block_start",
    "content_block_delta",
    "content_block_delta",
    "content_block_stop",
    "content_block_start",
    "content_block_delta",
    "content_block_delta",
    "content_block_stop",
    "message_delta",
    "message_stop",
]


def test_upstreams_that_stall_are_given_up(upstream: Listener, credentials: None, tmp_path: Path) -> None:
    """C28: a timeout_error at the deadline of the whole call, and the upstream's connection is closed.

    All at once, since each takes until the deadline: every dialect, plain and streamed, each way to stall.
    """
    cases = list(product(STALLS, DIALECTS, get_args(Mode)))

    def answer(received: Received) -> Script:
        fault, dialect, _ = cases[int(received.body.partition(b"case ")[2].partition(b".")[0])]
        upstream.gate.release()
        return fault.script(dialect, received)

    upstream.play(answer)
    patience = Patience(first_event=60, ping=60)  # so that nothing begins a message but the upstream
    with (
        stage(catalogue(upstream.url), tmp_path, timeout_seconds=8, patience=patience) as hurried,
        ThreadPoolExecutor(len(cases)) as pool,
    ):
        calls = [
            pool.submit(ask_beside_others, hurried, model_for(dialect), mode, text=f"case {number}.")
            for number, (_, dialect, mode) in enumerate(cases)
        ]
        outcomes = [call.result() for call in calls]
        hurried.limiter.wait_until_empty()

    assert outcomes == [
        failed(TIMED_OUT, begun=mode == "stream" and fault.name == "stalls in the middle") for fault, _, mode in cases
    ]
    assert len(upstream.exchanges) == len(hurried.limiter.settled) == len(cases)
    for exchange in upstream.exchanges:
        exchange.wait_until_peer_left()


def held_before_the_head(dialect: Dialect, gate: Gate) -> Answer:
    return lambda received: [gate, *good(dialect, received)]


def idle_before_the_reply(dialect: Dialect, gate: Gate) -> Answer:
    def script(received: Any) -> Script:
        first, *rest = good(dialect, received)
        return [first, Repeat(chunk(dialect.idle_frame()).data, gate), *rest]

    return script


@pytest.mark.parametrize("silence", [held_before_the_head, idle_before_the_reply])
def test_a_silence_before_the_reply_is_filled_with_pings(
    upstream: Listener, impatient: Stage, dialect: Dialect, silence: Any
) -> None:
    """C28, C29: message_start goes out, then pings, also while the upstream sends what maps to nothing; then all."""
    gate = Gate()
    upstream.play(silence(dialect, gate))

    with frames_of(impatient, dialect) as (response, frames):
        begun = [next(frames)[0] for _ in range(3)]
        gate.release()
        rest = names(frames)

    assert (response.status_code, begun, rest) == (200, ["message_start", "ping", "ping"], REST)


def test_a_silence_in_the_middle_is_filled_with_pings(upstream: Listener, impatient: Stage, dialect: Dialect) -> None:
    """C29: and while keep-alives come, which map to nothing."""
    gate = Gate()

    def script(received: Any) -> Script:
        before, after = half_of(dialect), dialect.frames()[len(half_of(dialect)) :]
        idle = Repeat(chunk(dialect.idle_frame()).data, gate)
        return [open_answer(dialect, received), *map(chunk, before), idle, *map(chunk, after), Close()]

    upstream.play(script)

    with frames_of(impatient, dialect) as (_, frames):
        seen: list[str] = []
        while seen[-2:] != ["ping", "ping"]:
            seen.append(next(frames)[0])
        gate.release()
        rest = names(frames)

    told = [name for name in seen if name != "ping"]
    assert (told[0], told[1:] + rest) == ("message_start", REST)


def test_a_failure_after_the_silence_is_an_error_event(upstream: Listener, impatient: Stage, dialect: Dialect) -> None:
    """C28: the 200 is out; the upstream's 503 comes as the last frame."""
    gate = Gate()
    upstream.play(lambda _: [gate, Close()])

    with frames_of(impatient, dialect) as (response, frames):
        first = next(frames)[0]
        gate.release()
        rest = [(name, payload) for name, payload in frames if name != "ping"]

    assert (response.status_code, first, len(rest)) == (200, "message_start", 1)
    assert (rest[0][0], rest[0][1]["error"]["type"]) == ("error", FAILED.type)
    assert rest[0][1]["request_id"] == response.headers["request-id"]

"""The bytes of a stream, read without an SDK: frames, pings, and how a failure ends them."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import httpx

from megallm.errors import UpstreamFailed
from megallm.operations.stream_message import Patience
from tests.contract.conftest import Serve
from tests.contract.samples import HELLO, started_usage_on_wire, usage_on_wire
from tests.contract.server import RunningServer, WatchedProvider
from tests.fakes import KEY, Pause, Step, text_reply

Frame = tuple[str, Any]  # the event's name, and its data as parsed JSON

IMPATIENT = Patience(first_event=0.05, ping=0.05)


@contextmanager
def frames_of(server: RunningServer) -> Iterator[tuple[httpx.Response, Iterator[Frame]]]:
    """The response, and its frames as they come."""
    with (
        httpx.Client(timeout=90) as client,
        client.stream(
            "POST", f"{server.url}/v1/messages", headers={"x-api-key": KEY}, json={**HELLO, "stream": True}
        ) as response,
    ):
        yield response, _frames(response)


def _frames(response: httpx.Response) -> Iterator[Frame]:
    name = ""
    for line in response.iter_lines():
        if line.startswith("event: "):
            name = line.removeprefix("event: ")
        elif line.startswith("data: "):
            yield name, json.loads(line.removeprefix("data: "))
        else:
            assert line == "", f"not a frame's line: {line!r}"


def test_every_frame_names_its_event_twice(serve: Serve) -> None:
    """C25: `event:` and the data's type are the same in each frame."""
    with frames_of(serve(WatchedProvider(text_reply("Hello")))) as (response, frames):
        names = [(name, payload["type"]) for name, payload in frames]

    assert response.headers["content-type"].partition(";")[0] == "text/event-stream"
    assert response.headers["request-id"].startswith("req_")
    assert names == [
        (name, name)
        for name in (
            "message_start",
            "content_block_start",
            "content_block_delta",
            "content_block_stop",
            "message_delta",
            "message_stop",
        )
    ]


def test_after_an_error_event_there_is_nothing(serve: Serve) -> None:
    """C28: the failure is the last frame, in the envelope, with the request id of the header."""
    script: list[Step] = [*text_reply("Hello")[:3], UpstreamFailed("the line broke")]

    with frames_of(serve(WatchedProvider(script))) as (response, frames):
        seen = list(frames)

    assert [name for name, _ in seen[:-1]] == ["message_start", "content_block_start", "content_block_delta"]
    assert seen[-1] == (
        "error",
        {
            "type": "error",
            "error": {"type": "api_error", "message": "the line broke"},
            "request_id": response.headers["request-id"],
        },
    )


def test_a_silent_upstream_gets_its_message_begun_and_pings(serve: Serve) -> None:
    """C28, C29: after the first patience message_start goes out with an estimate, then pings, then the reply."""
    pause = Pause()
    server = serve(WatchedProvider([pause, *text_reply("late")]), patience=IMPATIENT)

    with frames_of(server) as (response, frames):
        begun = next(frames)
        pings = [next(frames), next(frames)]
        server.release(pause)
        rest = [name for name, _ in frames if name != "ping"]

    estimate = begun[1]["message"]["usage"]["input_tokens"]
    assert response.status_code == 200
    assert (begun[0], begun[1]["message"]["usage"]) == ("message_start", started_usage_on_wire(estimate))
    assert estimate > 0
    assert pings == [("ping", {"type": "ping"})] * 2
    assert rest == [
        "content_block_start",
        "content_block_delta",
        "content_block_stop",
        "message_delta",
        "message_stop",
    ]


def test_a_begun_message_ends_with_the_true_usage(serve: Serve) -> None:
    """C25: the estimate of message_start is put right in message_delta."""
    pause = Pause()
    server = serve(WatchedProvider([pause, *text_reply("late")]), patience=IMPATIENT)

    with frames_of(server) as (_, frames):
        next(frames)
        server.release(pause)
        usage = next(payload["usage"] for name, payload in frames if name == "message_delta")

    assert usage == usage_on_wire(7, 3)


def test_a_failure_after_the_silence_is_an_error_event(serve: Serve) -> None:
    """C28: the 200 is out, so the refusal comes as the last frame."""
    pause = Pause()
    server = serve(WatchedProvider([pause, UpstreamFailed("refused")]), patience=IMPATIENT)

    with frames_of(server) as (response, frames):
        next(frames)
        server.release(pause)
        rest = [(name, payload) for name, payload in frames if name != "ping"]

    assert response.status_code == 200
    assert [(name, payload["error"]["message"]) for name, payload in rest] == [("error", "refused")]


def test_pings_fill_a_silence_in_the_middle(serve: Serve) -> None:
    """C29: while the upstream thinks, the connection is kept alive."""
    pause = Pause()
    *before, last = text_reply("x")
    server = serve(WatchedProvider([*before, pause, last]), patience=IMPATIENT)

    with frames_of(server) as (_, frames):
        told: list[str] = []
        pings = 0
        while len(told) < len(before) or pings < 2:
            name, _ = next(frames)
            pings = pings + 1 if name == "ping" else 0  # behind the latest event: a slow machine has some before it
            told += [] if name == "ping" else [name]
        server.release(pause)
        rest = [name for name, _ in frames if name != "ping"]

    assert (told[-1], rest) == ("message_delta", ["message_stop"])

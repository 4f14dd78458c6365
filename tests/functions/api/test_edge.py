"""The one log line of a request: what it says, and in every exit."""

import asyncio
import io
import json

import httpx
import pytest

from functions.api.app import create_app
from megallm.errors import UpstreamOverloaded
from tests.fakes import KEY, ScriptedProvider, gateway, text_reply

BODY = {"model": "claude-test", "max_tokens": 5, "messages": [{"role": "user", "content": "hi"}]}
MEASURED = ("time", "request_id", "message_id", "duration_ms", "upstream_ms", "first_event_ms")


def ask(
    provider: ScriptedProvider, method: str, path: str, body: object = None, headers: dict[str, str] | None = None
) -> httpx.Response:
    async def send() -> httpx.Response:
        transport = httpx.ASGITransport(create_app(gateway(provider)))
        async with httpx.AsyncClient(transport=transport, base_url="http://gateway") as client:
            return await client.request(method, path, json=body, headers={"x-api-key": KEY, **(headers or {})})

    return asyncio.run(send())


def line_of(stream: io.StringIO) -> dict[str, object]:
    """The last line, without what differs from run to run."""
    line = json.loads(stream.getvalue().splitlines()[-1])
    return {name: value for name, value in line.items() if name not in MEASURED}


def test_a_message_is_logged_with_who_what_where_and_how_much(lines: io.StringIO) -> None:
    """Ids, names, counts; the same request id as in the response."""
    response = ask(ScriptedProvider(text_reply("a")), "POST", "/v1/messages", BODY)

    logged = json.loads(lines.getvalue())
    assert logged["request_id"] == response.headers["request-id"]
    assert logged["message_id"] == response.json()["id"]
    assert line_of(lines) == {
        "level": "info",
        "event": "request",
        "method": "POST",
        "route": "/v1/messages",
        "status": 200,
        "key_id": "abcdefgh",
        "model": "claude-test",
        "provider": "scripted",
        "upstream_model": "upstream-model",
        "stream": False,
        "stop_reason": "end_turn",
        "input_tokens": 7,
        "output_tokens": 3,
        "cache_read_input_tokens": 0,
    }


def test_a_stream_that_breaks_is_logged_as_the_error_it_ended_in(lines: io.StringIO) -> None:
    """The status was 200 all the same."""
    start, block, delta, *_ = text_reply("a")

    ask(
        ScriptedProvider([start, block, delta, UpstreamOverloaded("full")]),
        "POST",
        "/v1/messages",
        {**BODY, "stream": True},
    )

    line = line_of(lines)
    assert (line["status"], line["error_type"], line["stream"], line["input_tokens"]) == (
        200,
        "overloaded_error",
        True,
        7,
    )


@pytest.mark.parametrize(
    ("method", "path", "headers", "expected"),
    [
        (
            "GET",
            "/v1/models/claude-test",
            {},
            {"route": "/v1/models/{model_id:path}", "status": 200, "key_id": "abcdefgh"},
        ),
        ("GET", "/nothing/mega_here", {}, {"route": "unknown", "status": 404, "error_type": "not_found_error"}),
        (
            "GET",
            "/v1/models",
            {"x-api-key": "no"},
            {"route": "/v1/models", "status": 401, "error_type": "authentication_error"},
        ),
    ],
)
def test_other_requests_are_logged_by_their_pattern(
    lines: io.StringIO, method: str, path: str, headers: dict[str, str], expected: dict[str, object]
) -> None:
    """Never by their path, which may hold anything."""
    ask(ScriptedProvider(), method, path, headers=headers)

    assert line_of(lines) == {"level": "info", "event": "request", "method": method, **expected}


def test_an_error_is_told_whatever_its_headers_hold() -> None:
    """An upstream's may not fit into a header; the error itself must still come in its shape."""
    headers = {"retry-after": "7", "x-ratelimit-note": "caf\xe9", "x-ratelimit-more": "caf\udce9", "x-line": "a\nb"}
    provider = ScriptedProvider([UpstreamOverloaded("full", headers=headers)])

    response = ask(provider, "POST", "/v1/messages", BODY)

    assert (response.status_code, response.json()["error"]["type"]) == (529, "overloaded_error")
    assert response.headers["retry-after"] == "7"
    assert not {"x-ratelimit-note", "x-ratelimit-more", "x-line"} & set(response.headers)

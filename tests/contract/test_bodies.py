"""Bodies that no SDK sends: each is a 4xx in the envelope, never a crash, and the server answers on (C08)."""

import json
import socket
from typing import Any

import httpx
import pytest

from megallm.settings import Settings
from tests.contract.conftest import Serve
from tests.contract.samples import HELLO
from tests.contract.server import RunningServer, WatchedProvider
from tests.fakes import KEY

Json = Any  # bodies of any shape

HEADERS = {"x-api-key": KEY, "content-type": "application/json"}


def post(server: RunningServer, body: bytes, headers: dict[str, str] | None = None) -> httpx.Response:
    """The body as it is, with a fresh connection."""
    return httpx.post(f"{server.url}/v1/messages", headers=HEADERS | (headers or {}), content=body, timeout=60)


def request(**fields: Json) -> bytes:
    """A request that is right but for these fields."""
    return json.dumps({**HELLO, **fields}).encode()


def saying(text: str) -> bytes:
    """A request with this in the place of the prompt, as it stands in the JSON text."""
    return request(messages=[{"role": "user", "content": "PROMPT"}]).replace(b"PROMPT", text.encode())


NOT_A_REQUEST = {
    "empty": b"",
    "white space": b" \n",
    "null": b"null",
    "number": b"42",
    "string": b'"hello"',
    "list": b"[]",
    "list of requests": b"[" + request() + b"]",
    "no fields": b"{}",
    "cut off": request()[:-1],
    "two of them": request() * 2,
    "not JSON": b"model=claude-test",
    "NaN": request().replace(b"100", b"NaN"),
    "infinity": request(temperature=0).replace(b'"temperature": 0', b'"temperature": Infinity'),
    "huge number": request().replace(b"100", b"1" * 5000),
    "not UTF-8": request().replace(b"Claude", b"\xff\xfe"),
    "UTF-16": request().decode().encode("utf-16"),
    "cut UTF-8": request().replace(b"Claude", b"\xc3"),
    "encoded surrogate": request().replace(b"Claude", b"\xed\xa0\x80"),
    "lone high surrogate": saying("\\ud83d"),
    "lone low surrogate": saying("\\ude00 and more"),
    "NUL": saying("a\\u0000b"),
    "raw NUL": saying("a\0b"),
    "NUL in a key": request(metadata={"a": 1}).replace(b'"a"', b'"\\u0000"'),
    "deep lists": b'{"messages": ' + b"[" * 100_000 + b"]" * 100_000 + b"}",
    "deep objects": b'{"a":' * 50_000 + b"1" + b"}" * 50_000,
    "deep and open": b"[" * 1_000_000,
    "deep tool schema": request(tools=[{"name": "t", "input_schema": "DEEP"}]).replace(
        b'"DEEP"', b'{"a":' * 3_000 + b"1" + b"}" * 3_000
    ),
    "too many messages": request(messages=[{"role": "user", "content": "x"}] * 100_001),
    "no messages": request(messages=[]),
    "messages of a wrong type": request(messages="Hello"),
    "unknown role": request(messages=[{"role": "robot", "content": "x"}]),
    "content of a wrong type": request(messages=[{"role": "user", "content": 5}]),
    "no content": request(messages=[{"role": "user"}]),
    "block without a type": request(messages=[{"role": "user", "content": [{"text": "x"}]}]),
    "model of a wrong type": request(model=["claude-test"]),
    "max_tokens below zero": request(max_tokens=-1),
    "max_tokens as text": request(max_tokens="100"),
    "max_tokens as true": request(max_tokens=True),
    "temperature too high": request(temperature=1.1),
    "top_p below zero": request(top_p=-0.1),
    "stream as text": request(stream="yes"),
    "tool without a schema": request(tools=[{"name": "t"}]),
    "tool choice unknown": request(tool_choice={"type": "whatever"}),
}


@pytest.mark.parametrize("body", NOT_A_REQUEST.values(), ids=NOT_A_REQUEST.keys())
def test_what_is_not_a_request_is_a_400_in_the_envelope(serve: Serve, body: bytes) -> None:
    """C08: a 400 of the documented shape, no upstream is called, and the next request is answered."""
    provider = WatchedProvider()
    server = serve(provider)

    refused = post(server, body)
    answered = post(server, request())

    envelope = refused.json()
    assert (refused.status_code, set(envelope)) == (400, {"type", "error", "request_id"})
    assert set(envelope["error"]) <= {"type", "message", "param"}
    assert envelope["error"]["type"] == "invalid_request_error"
    assert envelope["request_id"] == refused.headers["request-id"]
    assert refused.headers["x-should-retry"] == "false"
    assert (answered.status_code, provider.played) == (200, 1)


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"max_tokens": "100"}, "max_tokens"),
        ({"messages": [{"role": "user", "content": 5}]}, "messages.0.content"),
        (
            {"messages": [*HELLO["messages"], {"role": "user", "content": [{"type": "text"}]}]},
            "messages.1.content.0.text",
        ),
        ({"tools": [{"name": "t"}]}, "tools.0.input_schema"),
        ({"tool_choice": {"type": "tool"}}, "tool_choice.name"),
        ({"system": [{"type": "text", "text": 7}]}, "system.0.text"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_the_field_at_fault_is_named(serve: Serve, fields: dict[str, Json], param: str) -> None:
    """Section 1: param is the dotted path of the one field at fault, and the message begins with it."""
    error = post(serve(), request(**fields)).json()["error"]

    assert (error["param"], error["message"][: len(param)]) == (param, param)


@pytest.mark.parametrize(
    "content_type",
    ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x", "json", "a" * 999],
)
def test_another_content_type_is_refused(serve: Serve, content_type: str) -> None:
    """C08: what a web page can send without being asked first is not taken for JSON."""
    refused = post(serve(), request(), {"content-type": content_type})

    assert (refused.status_code, refused.json()["error"]) == (
        400,
        {"type": "invalid_request_error", "message": "The content-type must be application/json"},
    )


@pytest.mark.parametrize("content_type", ["application/json", "Application/JSON ; charset=utf-8", "application/json;x"])
def test_the_content_type_may_have_parameters(serve: Serve, content_type: str) -> None:
    """C08: what means JSON is taken."""
    assert post(serve(), request(), {"content-type": content_type}).status_code == 200


def test_a_body_in_chunks_is_read_whole(serve: Serve) -> None:
    """C08: chunked transfer encoding, cut anywhere, inside a character too."""
    body = saying("héllo")
    chunks = (body[position : position + 1] for position in range(len(body)))

    answer = httpx.post(f"{serve().url}/v1/messages", headers=HEADERS, content=chunks, timeout=60)

    assert answer.status_code == 200


@pytest.mark.parametrize("value", ["-1", "1e9", "²", "9" * 400])
def test_a_content_length_that_is_none_is_refused_by_the_server(serve: Serve, tolerated: list[str], value: str) -> None:
    """C08: the connection ends with a 4xx or is closed; the server answers on."""
    tolerated.append("Invalid HTTP request received")
    server = serve()
    head = f"POST /v1/messages HTTP/1.1\r\nHost: localhost\r\nx-api-key: {KEY}\r\nContent-Length: {value}\r\n\r\n"

    answer = exchange(server, head.encode())

    assert answer[:12] in (b"", b"HTTP/1.1 400", b"HTTP/1.1 413")
    assert post(server, request()).status_code == 200


def exchange(server: RunningServer, sent: bytes) -> bytes:
    """What a bare socket gets back before the server closes the connection."""
    with socket.create_connection(("127.0.0.1", server.port), timeout=90) as connection:
        connection.sendall(sent)
        connection.shutdown(socket.SHUT_WR)
        received = b""
        while chunk := connection.recv(65536):
            received += chunk
        return received


def test_a_client_that_leaves_in_the_middle_of_its_body_is_nobodys_error(serve: Serve) -> None:
    """C08: half a body and then nothing calls no upstream, and the server answers on."""
    provider = WatchedProvider()
    server = serve(provider)
    head = f"POST /v1/messages HTTP/1.1\r\nHost: localhost\r\nx-api-key: {KEY}\r\nContent-Length: 500\r\n\r\n"

    exchange(server, head.encode() + b'{"model": "claude')

    assert (post(server, request()).status_code, provider.played) == (200, 1)


def test_a_body_of_exactly_the_limit_passes(serve: Serve) -> None:
    """C09: the limit is the largest body that is taken."""
    server = serve(settings=Settings(max_body_bytes=2048))
    body = request() + b" " * (2048 - len(request()))

    statuses = [post(server, body).status_code, post(server, body + b" ").status_code]

    assert statuses == [200, 413]

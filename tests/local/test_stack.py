"""The local stack as its user sees it: a process with two ports, a folder, and an end."""

import signal
import socket
import time
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import pytest

from megallm.local.state import LocalState, is_running
from tests.local.running import (
    AT_ONCE_SECONDS,
    PATIENCE_SECONDS,
    START_SECONDS,
    RunningStack,
    as_json,
    megallm,
    running_stack,
)

pytestmark = pytest.mark.slow

HELLO = {"model": "claude-sonnet-4", "max_tokens": 8, "messages": [{"role": "user", "content": "Hello!"}]}
FOREIGN = [
    {"origin": "https://evil.example"},
    {"origin": "null"},
    {"origin": "http://localhost:3000"},
    {"host": "evil.example"},
    {"sec-fetch-site": "cross-site"},
]


@pytest.fixture(scope="module")
def stack(tiny_model: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningStack]:
    """One stack for the tests that only talk to it."""
    with running_stack(tmp_path_factory.mktemp("stack")) as running:
        running.state()
        yield running


@pytest.fixture(scope="module")
def state(stack: RunningStack) -> LocalState:
    """Where that stack is."""
    return stack.state()


def test_the_key_of_the_folder_gets_an_answer(state: LocalState) -> None:
    """What the banner shows works as it stands."""
    answer = httpx.post(
        f"{state.base_url}/v1/messages", json=HELLO, headers={"x-api-key": state.api_key}, timeout=PATIENCE_SECONDS
    )

    assert (answer.status_code, answer.json()["type"], answer.json()["model"]) == (200, "message", "claude-sonnet-4")


def test_no_key_is_needed_on_this_machine(state: LocalState) -> None:
    """The documentation's first curl has none."""
    url = state.base_url.replace("127.0.0.1", "localhost")

    assert httpx.post(f"{url}/v1/messages", json=HELLO, timeout=PATIENCE_SECONDS).status_code == 200


def test_a_wrong_key_is_not_taken_for_none(state: LocalState) -> None:
    """A mistake in a key should show on the laptop, not in production."""
    answer = httpx.post(
        f"{state.base_url}/v1/messages", json=HELLO, headers={"x-api-key": "mega_wrong"}, timeout=PATIENCE_SECONDS
    )

    assert (answer.status_code, answer.json()["error"]["type"]) == (401, "authentication_error")


@pytest.mark.parametrize("headers", FOREIGN)
@pytest.mark.parametrize("method", ["GET", "POST", "OPTIONS"])
@pytest.mark.parametrize("port", ["gateway", "aws"])
def test_a_web_page_of_another_origin_gets_nothing_from_either_port(
    state: LocalState, port: str, method: str, headers: dict[str, str]
) -> None:
    """Whatever a browser can be made to send: refused in the documented shape, and no CORS header to read it by."""
    url = {"gateway": f"{state.base_url}/v1/messages", "aws": state.aws_endpoint_url}[port]
    asking = {"access-control-request-method": "POST"} if method == "OPTIONS" else {}

    answer = httpx.request(method, url, headers=headers | asking, timeout=PATIENCE_SECONDS)

    body = answer.json()
    assert (answer.status_code, body["type"], body["error"]["type"]) == (403, "error", "permission_error")
    assert body["request_id"] == answer.headers["request-id"]
    assert [name for name in answer.headers if name.startswith("access-control")] == []


@pytest.mark.parametrize(
    "head", ["", "Host: {host}\r\nHost: evil.example\r\n", "Host: evil.example\r\nHost: {host}\r\n"]
)
@pytest.mark.parametrize("port", ["gateway", "aws"])
def test_a_missing_or_repeated_host_gets_nothing_from_either_port(state: LocalState, port: str, head: str) -> None:
    """HTTP libraries do not send it, so the bytes are written by hand."""
    parts = urlsplit({"gateway": state.base_url, "aws": state.aws_endpoint_url}[port])
    address = (parts.hostname, parts.port)
    lines = head.format(host=parts.netloc)

    with socket.create_connection(address, timeout=PATIENCE_SECONDS) as connection:
        connection.sendall(f"GET / HTTP/1.1\r\n{lines}Connection: close\r\n\r\n".encode())
        first_line = connection.makefile("rb").readline()

    assert first_line.split()[1] in (b"400", b"403")


@pytest.mark.parametrize(
    "junk",
    [
        b"garbage\r\n\r\n",
        b"GET / HTTP/9.9\r\n\r\n",
        b"GET / HTTP/1.1\r\nno colon\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
    ],
)
def test_what_is_no_http_is_refused_in_the_documented_shape(state: LocalState, junk: bytes) -> None:
    """The last one is a TLS client, of somebody who wrote https://."""
    parts = urlsplit(state.base_url)

    with socket.create_connection((parts.hostname, parts.port), timeout=PATIENCE_SECONDS) as connection:
        connection.sendall(junk)
        head, _, body = connection.makefile("rb").read().partition(b"\r\n\r\n")

    first, *lines = head.decode().split("\r\n")
    headers = dict(line.split(": ", 1) for line in lines)
    assert (first, headers["content-type"], headers["connection"]) == (
        "HTTP/1.1 400 Bad Request",
        "application/json",
        "close",
    )
    assert as_json(body.decode()) == {
        "type": "error",
        "error": {"type": "invalid_request_error", "message": "This is not an HTTP/1.1 request"},
        "request_id": headers["request-id"],
    }


def test_both_ports_are_closed_to_other_machines(state: LocalState) -> None:
    """They are bound to 127.0.0.1, not merely guarded: at another address of this machine nobody listens."""
    for url in (state.base_url, state.aws_endpoint_url):
        with pytest.raises(OSError, match=r"refused|assign requested address|timed out"):
            socket.create_connection(("127.0.0.2", urlsplit(url).port), timeout=2)


@pytest.mark.parametrize("signal_number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_ends_everything_at_once_and_cleanly(tiny_model: Path, tmp_path: Path, signal_number: int) -> None:
    """Status 0, both ports closed, nothing on the terminal that looks like an accident, no state left behind."""
    environ = {"AWS_PROFILE": "one-that-does-not-exist", "AWS_ENDPOINT_URL": "http://192.0.2.1"}
    with running_stack(tmp_path, environ=environ) as stack:
        state = stack.state()
        began = time.monotonic()
        ended = stack.stop(signal_number)
        took = time.monotonic() - began

    assert (ended.status, ended.stderr, as_json(ended.stdout)) == (0, "", asdict(state))
    assert took < AT_ONCE_SECONDS
    assert is_running(state) is False
    assert sorted(path.name for path in stack.folder.path.iterdir()) == ["api-key", "megallm.log", "stack.lock"]


def test_a_signal_ends_a_running_stream_too(tiny_model: Path, tmp_path: Path) -> None:
    """Its client sees a broken reply, not a reply that takes minutes; the terminal sees no traceback."""
    long = HELLO | {"max_tokens": 4000, "stream": True}
    with running_stack(tmp_path) as stack:
        state = stack.state()
        with (
            httpx.Client(timeout=PATIENCE_SECONDS) as client,
            client.stream("POST", f"{state.base_url}/v1/messages", json=long) as reply,
        ):
            begun = reply.iter_bytes()  # let go of, it would close the connection
            next(begun)
            ended = stack.stop()

    assert (ended.status, "Traceback" in ended.stderr) == (0, False)
    assert is_running(state) is False


def test_a_signal_ends_a_download(tmp_path: Path) -> None:
    """The proxy that never answers stands for a slow network."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        proxy = f"http://127.0.0.1:{silent.getsockname()[1]}"
        environ = {
            "MEGALLM_MODELS_DIR": str(tmp_path / "models"),
            **dict.fromkeys(("HTTPS_PROXY", "https_proxy", "HTTP_PROXY", "http_proxy", "ALL_PROXY"), proxy),
            "NO_PROXY": "",
            "no_proxy": "",
        }
        with running_stack(tmp_path, "--port", "0", "--model", "default", environ=environ) as stack:
            silent.settimeout(START_SECONDS)
            connection, _ = silent.accept()
            ended = stack.stop()
            connection.close()

    assert (ended.status, ended.stderr.splitlines()[-1]) == (130, "Stopped.")
    assert "Traceback" not in ended.stderr


def test_the_key_of_the_folder_stays_the_same(tiny_model: Path, tmp_path: Path) -> None:
    """Scripts that have it go on working."""
    keys = []
    for _ in range(2):
        with running_stack(tmp_path) as stack:
            keys.append(stack.state().api_key)
            stack.stop()

    assert keys[0] == keys[1]


def test_a_busy_port_is_one_line_with_the_remedy(tmp_path: Path) -> None:
    """Found before anything slow begins: no model is needed for it."""
    with socket.create_server(("127.0.0.1", 0)) as busy:
        port = busy.getsockname()[1]
        ended = megallm(tmp_path, "dev", "--port", str(port))

    assert (ended.status, ended.stdout, len(ended.stderr.splitlines())) == (1, "", 1)
    assert ended.stderr.startswith(f"megallm: Port {port} is taken by ")


def test_an_unknown_model_is_one_line(tmp_path: Path) -> None:
    """It names those that there are."""
    ended = megallm(tmp_path, "dev", "--port", "0", "--model", "gigantic")

    assert (ended.status, ended.stdout, ended.stderr) == (
        1,
        "",
        "megallm: There is no model 'gigantic'; there are: default, tiny, or the path of a .gguf file\n",
    )

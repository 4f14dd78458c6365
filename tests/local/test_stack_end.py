"""What a local stack does while its model finds no end, and how it keeps a second one out of its folder."""

import json
import signal
import socket
import time
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import pytest

from megallm.local.state import is_running
from tests.local.running import AT_ONCE_SECONDS, PATIENCE_SECONDS, START_SECONDS, megallm, running_stack

pytestmark = pytest.mark.slow

STUCK = "tests.local.stuck_stack"
STREAM = {"model": "claude-test", "max_tokens": 9, "stream": True, "messages": [{"role": "user", "content": "Hi"}]}


def files(folder: Path) -> list[str]:
    """The names in a folder."""
    return sorted(path.name for path in folder.iterdir())


@pytest.mark.parametrize("signal_number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_model_that_computes_on_is_not_waited_for(tmp_path: Path, signal_number: int) -> None:
    """llama.cpp hears of the end after a batch, which takes 10 s on a laptop; the user had said stop."""
    with running_stack(tmp_path, module=STUCK, environ={"STUCK": "thread"}) as stack:
        state = stack.state()
        began = time.monotonic()
        ended = stack.stop(signal_number)
        took = time.monotonic() - began

    assert (ended.status, ended.stderr, ended.stdout.splitlines()[-1]) == (0, "", "closing")
    assert took < AT_ONCE_SECONDS
    assert is_running(state) is False
    assert files(stack.folder.path) == ["api-key", "megallm.log", "stack.lock"]


def test_what_is_no_http_behind_a_request_does_not_spoil_its_reply(tmp_path: Path) -> None:
    """A second head in the middle of a stream would look like its text. The reply cannot have ended before it."""
    with running_stack(tmp_path, module=STUCK, environ={"STUCK": "thread"}) as stack:
        parts = urlsplit(stack.state().base_url)
        body = json.dumps(STREAM).encode()
        head = f"POST /v1/messages HTTP/1.1\r\nhost: {parts.netloc}\r\ncontent-length: {len(body)}\r\n\r\n".encode()
        with socket.create_connection((parts.hostname, parts.port), timeout=PATIENCE_SECONDS) as connection:
            connection.sendall(head + body)
            received = connection.recv(65536)
            connection.sendall(b"garbage\r\n\r\n")
            received += connection.makefile("rb").read()

    assert received.startswith(b"HTTP/1.1 200 OK\r\n")
    assert received.count(b"HTTP/1.1 ") == 1


def test_a_model_that_was_at_work_is_not_even_asked_to_close(tmp_path: Path) -> None:
    """llama.cpp would keep Python's lock while it finishes its batch, and no timeout ends that."""
    with running_stack(tmp_path, module=STUCK, environ={"STUCK": "loop"}) as stack:
        state = stack.state()
        with (
            httpx.Client(timeout=PATIENCE_SECONDS) as client,
            client.stream("POST", f"{state.base_url}/v1/messages", json=STREAM) as reply,
        ):
            status = reply.status_code
            begun = reply.iter_bytes()  # let go of, it would close the connection
            next(begun)
            ended = stack.stop()

    assert (status, ended.status, "closing" in ended.stdout, "Traceback" in ended.stderr) == (200, 0, False, False)
    assert files(stack.folder.path) == ["api-key", "megallm.log", "stack.lock"]


@pytest.mark.parametrize("second", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_second_signal_ends_the_process_on_the_spot(tmp_path: Path, second: int) -> None:
    """The end hangs in code that nothing else could interrupt; the state is forgotten all the same."""
    with running_stack(tmp_path, module=STUCK, environ={"STUCK": "loop"}) as stack:
        stack.state()
        stack.process.send_signal(signal.SIGINT)
        assert stack.process.stdout is not None
        while "closing" not in stack.process.stdout.readline():
            assert stack.process.poll() is None
        ended = stack.stop(second)

    assert (ended.status, ended.stderr) == (128 + second, "")
    assert files(stack.folder.path) == ["api-key", "megallm.log", "stack.lock"]


def test_a_second_stack_in_the_folder_is_refused_with_where_the_first_one_is(tmp_path: Path) -> None:
    """It would take over local.json, and its end would hide the first one from every command."""
    with running_stack(tmp_path, module=STUCK, environ={"STUCK": "thread"}) as first:
        state = first.state()

        second = megallm(tmp_path, "dev", "--port", "0", "--model", str(tmp_path / "stuck.gguf"))

        assert (second.status, second.stdout, second.stderr) == (
            1,
            "",
            f"megallm: The stack of {tmp_path} runs already: {state.base_url}, process {state.pid}. Use that one, "
            f"stop it (Ctrl-C there, or kill {state.pid}), or start another one in another clone.\n",
        )
        assert first.folder.load() == state


def test_a_stack_that_was_killed_does_not_keep_the_next_one_out(tmp_path: Path) -> None:
    """The system lets go of the lock."""
    with running_stack(tmp_path, module=STUCK, environ={"STUCK": "thread"}) as killed:
        before = killed.state()
        killed.stop(signal.SIGKILL)
    with running_stack(tmp_path, module=STUCK, environ={"STUCK": "thread"}) as stack:
        deadline = time.monotonic() + START_SECONDS
        while (state := stack.state()).pid == before.pid:
            assert time.monotonic() < deadline
            time.sleep(0.05)

        assert is_running(state)


def test_a_state_that_cannot_be_read_is_one_line(tmp_path: Path) -> None:
    """Before anything slow begins, and for every command."""
    (tmp_path / ".megallm" / "local.json").mkdir(parents=True)
    file = tmp_path / ".megallm" / "local.json"
    line = (
        f"megallm: {file} cannot be read (Is a directory). "
        "Remove it: a running stack is then stopped and started again.\n"
    )

    started, listed = megallm(tmp_path, "dev", "--port", "0"), megallm(tmp_path, "keys", "list")

    assert (started.status, started.stdout, started.stderr) == (1, "", line)
    assert (listed.status, listed.stdout, listed.stderr) == (1, "", line)

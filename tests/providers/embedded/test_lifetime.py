"""The embedded model's beginning and end: what loading may meet, and an exit in the middle of work."""

import asyncio
import os
import signal
import socket
import struct
import subprocess
import sys
import tempfile
from contextlib import closing
from pathlib import Path

import pytest

from megallm.errors import UpstreamFailed
from megallm.messages.events import Reply
from megallm.providers.embedded.errors import EmbeddedUnavailable
from megallm.providers.embedded.gguf import read_header
from megallm.providers.embedded.provider import EmbeddedProvider

from .asking import call_of, counting_ids, prepared

GENERATE_FOR_EVER = """
import asyncio, sys
from pathlib import Path
from megallm.messages.calls import Call
from megallm.messages.requests import MessagesRequest
from megallm.providers.embedded.provider import EmbeddedProvider

async def main():
    provider = EmbeddedProvider(Path(sys.argv[1]), new_tool_id=str, context_tokens=2048)
    endless = {"type": "json_schema", "schema": {"type": "array", "minItems": 5000, "items": {"type": "integer"}}}
    request = MessagesRequest.model_validate({
        "model": "m", "max_tokens": 5000, "messages": [{"role": "user", "content": "Count"}],
        "output_config": {"format": endless}})
    count = 0
    async for event in (await provider.prepare(Call(request, "tiny"))).stream():
        count += 1
        if count == 5:
            print("generating", flush=True)
        if count == 10 and sys.argv[2:] == ["exit"]:
            sys.exit(7)

asyncio.run(main())
"""

LIST_PORTS = """
import asyncio, os, sys
from pathlib import Path
from megallm.providers.embedded.provider import EmbeddedProvider

async def main():
    provider = EmbeddedProvider(Path(sys.argv[1]), new_tool_id=str, context_tokens=256)
    await provider.load()
    links = [f"/proc/self/fd/{fd}" for fd in os.listdir("/proc/self/fd")]
    own = {os.readlink(link) for link in links if os.path.lexists(link)}
    tables = [Path(f"/proc/self/net/{name}").read_text().splitlines()[1:] for name in ("tcp", "tcp6")]
    print([line for table in tables for line in table if f"socket:[{line.split()[9]}]" in own])
    await provider.aclose()

asyncio.run(main())
"""

# One fact named "a": an array of one array of one array … 5000 deep.
NESTED = (
    b"GGUF\x03\x00\x00\x00"
    + struct.pack("<QQQ1sI", 0, 1, 1, b"a", 9)
    + struct.pack("<IQ", 9, 1) * 5000
    + struct.pack("<IQB", 0, 1, 7)
)


def test_the_header_tells_name_and_context_before_loading(tiny_model: Path) -> None:
    """Without llama.cpp, and within milliseconds."""
    header = read_header(tiny_model)

    assert (header.context_tokens, header.name != "") == (8192, True)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "is not a whole GGUF file"),
        (b"PK\x03\x04 something else", "is not a whole GGUF file"),
        (b"GGUF\x03\x00\x00\x00", "is not a whole GGUF file"),
        (b"GGUF\x03\x00\x00\x00" + bytes(16), "not one of a text model"),
        (NESTED, "is not a whole GGUF file"),
    ],
)
def test_a_file_that_is_no_model_is_refused_before_loading(tmp_path: Path, content: bytes, message: str) -> None:
    """With what to do, not with a stack of C++."""
    path = tmp_path / "broken.gguf"
    path.write_bytes(content)

    with pytest.raises(EmbeddedUnavailable, match=message):
        EmbeddedProvider(path, new_tool_id=counting_ids())


def test_a_missing_file_is_named() -> None:
    """The path is what the user mistyped."""
    with pytest.raises(EmbeddedUnavailable, match=r"Cannot read the model /nowhere/x\.gguf: No such file"):
        EmbeddedProvider(Path("/nowhere/x.gguf"), new_tool_id=counting_ids())


def test_a_file_that_breaks_off_is_a_clear_message(tiny_model: Path, tmp_path: Path) -> None:
    """Its header is whole, so that only llama.cpp can tell."""
    path = tmp_path / "cut.gguf"
    with tiny_model.open("rb") as file:
        path.write_bytes(file.read(10_000_000))
    provider = EmbeddedProvider(path, new_tool_id=counting_ids(), context_tokens=256)

    with pytest.raises(EmbeddedUnavailable, match=r"llama\.cpp could not load .*cut.gguf: the file may be broken"):
        asyncio.run(provider.load())


def test_a_connection_that_is_lost_is_the_upstreams_failure(tiny_model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever was asked: httpx's errors are nobody else's."""

    async def ask_both(provider: EmbeddedProvider) -> tuple[int | BaseException, Reply | BaseException]:
        return await asyncio.gather(
            provider.count_tokens(call_of()), prepared(provider).create(), return_exceptions=True
        )

    with tempfile.TemporaryDirectory(dir="/tmp") as folder:
        monkeypatch.setattr(tempfile, "tempdir", folder)  # the standard library's own setting
        provider = EmbeddedProvider(tiny_model, new_tool_id=counting_ids(), context_tokens=256)
        asyncio.run(provider.load())
        (path,) = Path(folder).glob("*/llama.sock")
        path.unlink()
        outcomes = asyncio.run(ask_both(provider))
        asyncio.run(provider.aclose())

    assert [str(outcome) for outcome in outcomes] == ["The embedded model stopped answering"] * 2
    assert all(isinstance(outcome, UpstreamFailed) for outcome in outcomes)


def test_loading_sweeps_what_a_killed_process_left(tiny_model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """And its own folder goes with it when it closes."""
    with tempfile.TemporaryDirectory(dir="/tmp") as name:
        folder = Path(name)
        monkeypatch.setattr(tempfile, "tempdir", name)  # the standard library's own setting
        left = folder / "megallm-left"
        left.mkdir()
        with closing(socket.socket(socket.AF_UNIX)) as dead:
            dead.bind(str(left / "llama.sock"))
        os.utime(left, (0, 0))
        provider = EmbeddedProvider(tiny_model, new_tool_id=counting_ids(), context_tokens=256)

        asyncio.run(provider.load())

        running = [path.name for path in folder.glob("*/*")]
        asyncio.run(provider.aclose())
        assert (running, left.exists(), list(folder.iterdir())) == (["llama.sock"], False, [])


@pytest.mark.skipif(sys.platform != "linux", reason="reads the process's sockets from /proc")
def test_loading_opens_no_port_and_says_nothing(tiny_model: Path) -> None:
    """Nobody else on the machine can talk to llama.cpp, and its log stays out of the user's terminal."""
    result = subprocess.run(
        [sys.executable, "-c", LIST_PORTS, str(tiny_model)], capture_output=True, text=True, timeout=180, check=False
    )

    assert (result.returncode, result.stdout, result.stderr) == (0, "[]\n", "")


@pytest.mark.parametrize("attempt", range(2))
def test_an_interrupt_in_the_middle_of_a_reply_ends_cleanly(tiny_model: Path, attempt: int) -> None:
    """Never by a crash in llama.cpp's threads."""
    with _generating(tiny_model) as process:
        process.send_signal(signal.SIGINT)
        process.wait(180)

    assert process.returncode in (0, 130, -signal.SIGINT)


def test_an_exit_in_the_middle_of_a_reply_keeps_its_status(tiny_model: Path) -> None:
    """The model is unloaded before Python is."""
    with _generating(tiny_model, "exit") as process:
        process.wait(180)

    assert process.returncode == 7


def _generating(model: Path, *arguments: str) -> subprocess.Popen[str]:
    process = subprocess.Popen(
        [sys.executable, "-c", GENERATE_FOR_EVER, str(model), *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "generating\n"
    return process

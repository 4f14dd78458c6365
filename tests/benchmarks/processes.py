"""Servers in processes of their own, each on a free port of 127.0.0.1, ended with the block that uses them."""

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).parents[2]
OURS = "functions.api.server:Protocol"  # as `megallm dev` serves


@contextmanager
def server(command: Sequence[str], port: int, environ: Mapping[str, str] | None = None) -> Iterator[int]:
    """Runs *command* until the block is left; begins it once *port* is listened on. Raises RuntimeError."""
    process = subprocess.Popen(
        command, cwd=ROOT, env={**os.environ, **(environ or {})}, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        _wait_for(port, process)
        yield port
    finally:
        process.terminate()
        process.wait(timeout=20)


@contextmanager
def upstream() -> Iterator[str]:
    """The stub upstream; gives its URL, without the path."""
    port = free_port()
    with server([sys.executable, "-m", "tests.benchmarks.upstream", str(port)], port):
        yield f"http://127.0.0.1:{port}"


@contextmanager
def uvicorn(factory: str, *, http: str = "auto", **environ: str) -> Iterator[int]:
    """An app that *factory*, a ``module:function``, makes; gives its port. *http* is the protocol class."""
    port = free_port()
    command = [sys.executable, "-m", "uvicorn", factory, "--factory", "--port", str(port)]
    with server([*command, "--http", http, "--no-access-log", "--log-level", "error"], port, environ):
        yield port


def free_port() -> int:
    """One where nobody listens now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _wait_for(port: int, process: "subprocess.Popen[bytes]") -> None:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        if process.poll() is not None:
            raise RuntimeError(f"{process.args!r} ended with status {process.returncode}")
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.05)
    raise RuntimeError(f"{process.args!r} did not start to listen")

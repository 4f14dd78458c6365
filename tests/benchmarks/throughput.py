"""Requests per second at concurrency 8, each server in a process of its own."""

import asyncio
import json
import os
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from statistics import median

from tests.benchmarks.invocation import small_body
from tests.benchmarks.load import requests_per_second
from tests.benchmarks.measure import Row
from tests.fakes import KEY

ROOT = Path(__file__).parents[2]
LITELLM = ROOT / ".venv-litellm" / "bin" / "litellm"
LITELLM_KEY = "sk-" + "0123456789abcdef" * 4
CONNECTIONS, REQUESTS, SECONDS, ROUNDS = 8, 3000, 6.0, 3


def run() -> list[Row]:
    """The table of rates; who is not installed is said to be missing."""
    rates: dict[str, list[float]] = {}
    with ExitStack() as stack:
        upstream = stack.enter_context(_uvicorn("tests.benchmarks.upstream:app"))
        upstream_url = f"http://127.0.0.1:{upstream}"
        ports = {
            "MegaLLM, stubbed provider": stack.enter_context(_uvicorn("tests.benchmarks.servers:ours", factory=True)),
            "FastAPI + httpx to a stub upstream": stack.enter_context(
                _uvicorn("tests.benchmarks.servers:reference", factory=True, UPSTREAM=upstream_url)
            ),
        }
        if LITELLM.exists():
            ports["LiteLLM's proxy to a stub upstream"] = stack.enter_context(_litellm(upstream_url))
        for _ in range(ROUNDS):
            for name, port in ports.items():
                key = LITELLM_KEY if name.startswith("LiteLLM") else KEY
                rates.setdefault(name, []).append(_rate(port, key))
    rows = [Row(f"{name}, c={CONNECTIONS}", f"{median(values):,.0f} requests/s") for name, values in rates.items()]
    if not LITELLM.exists():
        rows.append(Row(f"LiteLLM's proxy, c={CONNECTIONS}", "not installed"))
    return rows


def _rate(port: int, key: str) -> float:
    headers = {"x-api-key": key, "content-type": "application/json"}
    body = json.dumps(small_body()).encode()
    return asyncio.run(
        requests_per_second(port, body, headers, connections=CONNECTIONS, requests=REQUESTS, seconds=SECONDS)
    )


@contextmanager
def _uvicorn(app: str, *, factory: bool = False, **environ: str) -> Iterator[int]:
    port = _free_port()
    command = [sys.executable, "-m", "uvicorn", app, "--port", str(port), "--no-access-log", "--log-level", "error"]
    with _server([*command, "--factory"] if factory else command, port, environ):
        yield port


@contextmanager
def _litellm(upstream: str) -> Iterator[int]:
    port = _free_port()
    config = {
        "model_list": [
            {
                "model_name": "claude-test",
                "litellm_params": {"model": "hosted_vllm/stub", "api_base": f"{upstream}/v1", "api_key": "none"},
            }
        ]
    }
    with tempfile.NamedTemporaryFile("w", suffix=".yaml") as file:
        json.dump(config, file)  # JSON is YAML
        file.flush()
        command = [str(LITELLM), "--config", file.name, "--host", "127.0.0.1", "--port", str(port)]
        environ = {"LITELLM_LOG": "ERROR", "LITELLM_MASTER_KEY": LITELLM_KEY, "LITELLM_LOCAL_MODEL_COST_MAP": "True"}
        with _server(command, port, environ):
            yield port


@contextmanager
def _server(command: list[str], port: int, environ: dict[str, str]) -> Iterator[None]:
    process = subprocess.Popen(
        command, cwd=ROOT, env={**os.environ, **environ}, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        _wait_for(port, process)
        yield
    finally:
        process.terminate()
        process.wait(timeout=20)


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


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port

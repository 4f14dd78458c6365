"""The program that AWS's Lambda Web Adapter would start: an HTTP server on the function's loopback interface."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import httpx
import pytest

from tests.infra.bundle.unpacked import SETTINGS
from tests.infra.free_port import free_port
from tests.infra.synthesis import ROOT

pytestmark = pytest.mark.slow

_SECONDS = 90.0


def _health(url: str, process: "subprocess.Popen[bytes]") -> httpx.Response:
    end = time.monotonic() + _SECONDS
    while True:
        try:
            return httpx.get(f"{url}/health", timeout=5)
        except httpx.TransportError:
            assert process.poll() is None
            assert time.monotonic() < end
            time.sleep(0.1)


def test_the_adapters_program_answers_and_ends_when_it_is_told() -> None:
    """On the port and the path that the stack gives the adapter; SIGTERM is how Lambda says so."""
    port = free_port()
    environment = {
        **SETTINGS,
        "PATH": os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]]),
        "LAMBDA_TASK_ROOT": str(ROOT),
        "AWS_LWA_PORT": str(port),
        "AWS_ACCESS_KEY_ID": "x",
        "AWS_SECRET_ACCESS_KEY": "x",
    }

    with subprocess.Popen(
        [ROOT / "functions" / "api" / "adapter-start"], env=environment, stdout=subprocess.DEVNULL
    ) as process:
        try:
            answer = _health(f"http://127.0.0.1:{port}", process)
        finally:
            process.send_signal(signal.SIGTERM)
        status = process.wait(_SECONDS)

    assert (answer.status_code, answer.json()["status"]) == (200, "ok")
    assert status in (0, -signal.SIGTERM)

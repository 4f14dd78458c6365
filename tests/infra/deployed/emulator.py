"""ministack, an emulator of AWS, as a process of its own environment: it pins another botocore than ours."""

import os
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from tests.infra.free_port import free_port
from tests.infra.synthesis import ROOT

PYTHON = ROOT / ".venv-ministack" / "bin" / "python"
REGION = "eu-central-1"
# Nobody's: the emulator takes any.
_CREDENTIALS = {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test"}
_START_SECONDS = 120.0


@dataclass(frozen=True, slots=True)
class Emulator:
    """Where it answers, and what it writes, the functions' own lines among it."""

    endpoint_url: str
    log: Path

    def client(self, service: str) -> Any:  # Any: whichever client the service has
        """Of boto3, for one of AWS's services."""
        session = boto3.Session(
            aws_access_key_id=_CREDENTIALS["AWS_ACCESS_KEY_ID"],
            aws_secret_access_key=_CREDENTIALS["AWS_SECRET_ACCESS_KEY"],
            region_name=REGION,
        )
        config = Config(retries={"total_max_attempts": 1}, read_timeout=120, s3={"addressing_style": "path"})
        return session.client(service, endpoint_url=self.endpoint_url, config=config)

    def environment(self) -> dict[str, str]:
        """For a program that is to use it as AWS."""
        return {**_CREDENTIALS, "AWS_REGION": REGION, "AWS_DEFAULT_REGION": REGION}


@contextmanager
def running(folder: Path) -> Iterator[Emulator]:
    """On a free port of this machine alone; what it keeps goes into *folder*."""
    port = free_port()
    found = Emulator(f"http://127.0.0.1:{port}", folder / "emulator.log")
    environment = {
        **_CREDENTIALS,
        "PATH": os.environ["PATH"],
        "HOME": str(folder),
        "TMPDIR": str(folder),
        "STATE_DIR": str(folder / "state"),
        "GATEWAY_PORT": str(port),
        "BIND_HOST": "127.0.0.1",
        "MINISTACK_HOST": "127.0.0.1",
        "MINISTACK_REGION": REGION,
        "AWS_ENDPOINT_URL": found.endpoint_url,
        "DOCKER_HOST": f"unix://{folder}/no-docker",
    }
    with found.log.open("w") as log:
        process = subprocess.Popen(
            [PYTHON, "-m", "ministack"], cwd=folder, env=environment, stdout=log, stderr=subprocess.STDOUT
        )
    try:
        _wait(found, process)
        yield found
    finally:
        process.terminate()
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _wait(emulator: Emulator, process: "subprocess.Popen[bytes]") -> None:
    sts = emulator.client("sts")
    end = time.monotonic() + _START_SECONDS
    while True:
        try:
            sts.get_caller_identity()
        except (BotoCoreError, ClientError):
            assert process.poll() is None, emulator.log.read_text()
            assert time.monotonic() < end, emulator.log.read_text()
            time.sleep(0.2)
        else:
            return

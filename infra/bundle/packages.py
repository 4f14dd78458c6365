"""The locked packages, as they are installed for Lambda's platform: by pip, each against its hash, wheels only."""

import os
import subprocess
import sys
import tempfile
from pathlib import Path

from infra.bundle.target import Target


class NotInstalled(Exception):
    """pip could not install the packages; the message has its own last words."""


def install(lock: str, target: Target, folder: Path) -> None:
    """Installs what *lock* pins, a requirements file's text, into *folder*. Raises NotInstalled."""
    command = [sys.executable, "-m", "pip", "install", "--disable-pip-version-check", "--no-input", "--quiet"]
    command += ["--require-hashes", "--no-deps", "--only-binary", ":all:", "--no-compile", "--target", str(folder)]
    command += ["--implementation", "cp", "--python-version", f"3.{target.minor}"]
    for tag in target.tags:
        command += ["--platform", tag]
    with tempfile.NamedTemporaryFile("w", suffix=".txt") as file:
        file.write(lock)
        file.flush()
        finished = subprocess.run(  # noqa: S603  pip, with our own arguments
            [*command, "-r", file.name], env=_environment(), capture_output=True, text=True, check=False
        )
    if finished.returncode:
        words = [line for line in finished.stderr.splitlines() if line.startswith("ERROR")] or [finished.stderr.strip()]
        told = "\n".join(words[-3:])
        raise NotInstalled(f"The packages cannot be installed for {target.runtime} on {target.architecture}:\n{told}")


def pins_of(lock: Path, names: frozenset[str]) -> str:
    """The lines of *lock* for these packages, hashes and all. Raises NotInstalled where one is not there."""
    lines: list[str] = []
    left = set(names)
    taking = False
    for line in lock.read_text().splitlines():
        if not line.startswith((" ", "#")):
            name = line.partition("==")[0]
            taking = name in names
            left.discard(name)
        if taking:
            lines.append(line)
    if left:
        raise NotInstalled(f"{lock.name} does not pin {', '.join(sorted(left))}")
    return "\n".join(lines) + "\n"


def _environment() -> dict[str, str]:
    """Without what would send pip elsewhere; which index it uses stays the user's choice."""
    elsewhere = ("PIP_TARGET", "PIP_USER", "PIP_PREFIX", "PIP_ROOT", "PIP_NO_DEPS", "PIP_DRY_RUN", "PYTHONPATH")
    return {name: value for name, value in os.environ.items() if name not in elsewhere}

# ruff: noqa: S603, T201  # It starts pip and venv with arguments of its own making, and talks to its user.
"""One virtual environment: how it is made, filled from a file of pins, and checked to be whole.

Like bootstrap.py, which runs before anything is installed: the standard library and old syntax only.
"""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

from megallm.local import remedies
from megallm.local.remedies import CannotInstall

# Runs inside the environment: every pinned package is there in its version, and every file of it.
CHECK = """
import importlib.metadata, json, os, sys
broken = []
for name, version in json.load(sys.stdin).items():
    try:
        found = importlib.metadata.distribution(name)
    except importlib.metadata.PackageNotFoundError:
        broken.append(name)
        continue
    files = found.files
    if found.version != version or files is None:
        broken.append(name)
    elif not all(os.path.exists(found.locate_file(file)) for file in files if file.suffix != ".pyc"):
        broken.append(name)
print(json.dumps(broken))
"""


def executable(folder: Path, name: str) -> Path:
    """Where an environment has this program."""
    return folder / ("Scripts" if os.name == "nt" else "bin") / name


def clean_environment() -> "dict[str, str]":
    """The environment without what would make pip or Python work elsewhere, or less, than in the folder.

    Where packages come from (index, proxy, certificates) stays the user's choice.
    """
    elsewhere = (
        "PYTHONPATH",
        "PYTHONHOME",
        "PIP_CONSTRAINT",
        "PIP_DRY_RUN",
        "PIP_NO_DEPS",
        "PIP_PREFIX",
        "PIP_REQUIRE_HASHES",
        "PIP_ROOT",
        "PIP_TARGET",
        "PIP_USER",
        "VIRTUAL_ENV",
    )
    return {name: value for name, value in os.environ.items() if name not in elsewhere}


def pinned(requirements: Path) -> "dict[str, str]":
    """The packages that every machine gets; those with a marker are left to pip."""
    pins = re.findall(r"^([A-Za-z0-9._-]+)(?:\[[^]]*\])?==(\S+) \\$", requirements.read_text(), flags=re.MULTILINE)
    return dict(pins)


def broken_packages(folder: Path, pins: "dict[str, str]") -> "list[str]":
    """Which pinned packages are missing, of another version, or not whole."""
    answer = subprocess.run(
        [str(executable(folder, "python")), "-I", "-c", CHECK],
        check=False,
        input=json.dumps(pins).encode(),
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    )
    return list(json.loads(answer.stdout)) if answer.returncode == 0 else sorted(pins)


def make(folder: Path, holding: "tuple[int, ...]" = ()) -> None:
    """An empty environment in place of whatever is there. The program that makes it gets the files *holding* too."""
    try:
        import ensurepip  # noqa: F401  # Debian parts it, and with it a working venv, from Python.
        import venv  # noqa: F401
    except ImportError:
        version = f"3.{sys.version_info[1]}"
        raise CannotInstall(
            f"This Python ({sys.executable}) cannot make virtual environments: venv or ensurepip is missing. "
            f"If it is the system's, install it (Debian, Ubuntu: sudo apt install python{version}-venv); one of pyenv, "
            f"or built by yourself, has to be built anew (pyenv install --force {version}), with the libraries that "
            "pyenv's wiki names. Then run the command again. PYTHON=/path/to/python takes another one."
        ) from None
    print(f"Making {folder.name} with Python {sys.version.split()[0]} ...", flush=True)
    made = subprocess.run(
        [sys.executable, "-m", "venv", "--clear", str(folder)],
        check=False,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        env=clean_environment(),
        pass_fds=holding,
    )
    if made.returncode:
        raise CannotInstall(f"Python could not make {folder}:\n{made.stdout.decode(errors='replace').strip()}")


def install(folder: Path, requirements: Path, count: int, holding: "tuple[int, ...]" = ()) -> None:
    """Installs the pins, each checked against its hash, and shows how far it is. pip gets the files *holding* too."""
    print(f"Installing {count} packages from {requirements.name} (once; some minutes at most) ...", flush=True)
    command = [str(executable(folder, "python")), "-m", "pip", "install", "--disable-pip-version-check", "--no-input"]
    # --no-user: the user's own pip.conf may say `user = true`, and it has to be read for its index.
    command += ["--no-user", "--retries", "3", "--only-binary", ":all:", "--require-hashes", "-r", str(requirements)]
    process = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, env=clean_environment(), pass_fds=holding
    )
    lines = []  # type: list[str]
    done = 0
    for raw in process.stdout or ():
        line = raw.decode(errors="replace").strip()
        lines.append(line)
        if line.startswith(("Collecting ", "Requirement already satisfied")):
            done += 1
        show(done, count, line)
    if sys.stdout.isatty():
        print("\r\x1b[K", end="", flush=True)
    if process.wait():
        raise CannotInstall(remedies.for_pip(lines))


def show(done: int, count: int, line: str) -> None:
    """One line that changes on a terminal; elsewhere, such as in a CI log, one for every tenth package."""
    if line.startswith("WARNING: Retrying"):
        print("\nThe package index does not answer; trying again ...", flush=True)
    if sys.stdout.isatty():
        if line.startswith("━"):  # pip's own bar, which comes only when it is full
            return
        what = re.sub(r"https?://\S+/|--hash=\S+|\(from .*", "", line)[:60]
        print(f"\r\x1b[K  {min(done, count):3} of {count}  {what}", end="", flush=True)
    elif line.startswith("Collecting ") and done % 10 == 0:
        print(f"  {done} of {count}", flush=True)

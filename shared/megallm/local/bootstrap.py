# ruff: noqa: E402, S603, S606, T201, UP035
# The project is not importable before the first lines have run; it starts programs of its own choosing, and talks
# to its user; and Python 3.6 knows no subscripts of collections.abc.
"""How a fresh clone gets its virtual environments: made, filled from the pins, checked and repaired.

Runs under the system's Python, before anything is installed: the standard library only, and nothing that a
Python 3.6 cannot parse, so that even that one can say what is wrong.

    python3 shared/megallm/local/bootstrap.py run                          .venv for `make run`
    python3 shared/megallm/local/bootstrap.py dev                          .venv for `make test`
    python3 shared/megallm/local/bootstrap.py venv .venv-NAME FILE.txt     another one, without this project in it
"""

import ctypes
import hashlib
import json
import os
import shlex
import shutil
import subprocess
import sys
from pathlib import Path
from typing import IO, Callable

ROOT = Path(__file__).resolve().parents[3]
if not __package__:  # run as a script: the project itself is not installed yet
    sys.path.insert(0, str(ROOT / "shared"))

from megallm.local import remedies
from megallm.local.environments import broken_packages, clean_environment, executable, install, make, pinned
from megallm.local.remedies import NEWEST, OLDEST, CannotInstall

# Of each set: the pins, and the megabytes that it takes with what pip needs in passing.
SETS = {"run": ("requirements/local.txt", 700), "dev": ("requirements/dev.txt", 1200)}
OTHER_SET_MEGABYTES = 300
SMALL_REPAIR_MEGABYTES = 30


def main(arguments: "list[str]") -> int:
    """Does what the arguments say, and gives the exit status."""
    try:
        python = supported_python(sys.version_info[:3], shutil.which)
        if python is not None:
            sys.stdout.flush()
            os.execv(python, [python, str(Path(__file__).resolve()), *arguments])
        if len(arguments) == 1 and arguments[0] in SETS:
            requirements, megabytes = SETS[arguments[0]]
            check_openmp(ctypes.CDLL)
            ensure(ROOT / ".venv", ROOT / requirements, megabytes, with_project=True)
        elif len(arguments) == 3 and arguments[0] == "venv":
            ensure(ROOT / arguments[1], ROOT / arguments[2], OTHER_SET_MEGABYTES, with_project=False)
        else:
            print(__doc__, file=sys.stderr)
            return 2
    except CannotInstall as problem:
        print(f"\n{problem}", file=sys.stderr)
        return 1
    except OSError as error:
        print(f"\n{remedies.for_os_error(error, str(ROOT))}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("\nStopped. The next run takes up the installation where it was left.", file=sys.stderr)
        return 130
    return 0


def supported_python(running: "tuple[int, int, int]", which: "Callable[[str], str | None]") -> "str | None":
    """Another Python of this machine, where the running one is too old. Raises CannotInstall where there is none."""
    if running >= (3, OLDEST):
        return None
    for minor in range(NEWEST, OLDEST - 1, -1):
        other = which(f"python3.{minor}")
        # A version manager's shim is there for versions that it does not run.
        if other and subprocess.call([other, "-c", ""], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) == 0:
            return other
    raise CannotInstall(remedies.for_old_python(running))


def check_openmp(load: "Callable[[str], object]") -> None:
    """The embedded model's runtime loads the OpenMP library, which slim systems lack. Raises CannotInstall."""
    if not sys.platform.startswith("linux"):
        return
    try:
        load("libgomp.so.1")
    except OSError:
        raise CannotInstall(remedies.NO_OPENMP) from None


def ensure(folder: Path, requirements: Path, megabytes: int, with_project: bool) -> None:
    """Makes or repairs an environment; returns soon, and says nothing, where it is whole."""
    with only_one_at_a_time() as lock:
        # pip goes on if this process is killed: the lock is its too, and the next one waits for it.
        holding = () if os.name == "nt" else (lock.fileno(),)
        stamp = folder / f".{requirements.stem}.json"
        wanted = {"requirements": sha256(requirements), "folder": str(folder), "python": python_of(folder)}
        pins = pinned(requirements)
        anew = not wanted["python"] or moved(folder)
        missing = sorted(pins) if anew else broken_packages(folder, pins)
        if read_stamp(stamp) == wanted and not missing:
            return
        check_space(folder.parent, needed_megabytes(megabytes, len(missing), len(pins)))
        if wanted["python"] and anew:
            print(f"The folder {folder.parent} was moved or copied: its environment is made anew.", flush=True)
        if anew:
            make(folder, holding)
        install(folder, requirements, len(pins), holding)
        if broken_packages(folder, pins):
            print(f"The environment {folder.name} is damaged by an earlier installation: it is made anew.", flush=True)
            make(folder, holding)
            install(folder, requirements, len(pins), holding)
            broken = broken_packages(folder, pins)
            if broken:
                raise CannotInstall(
                    f"pip reported success, but {', '.join(broken)} cannot be found in {folder}. "
                    f"Remove that folder and run the command again."
                )
        if with_project:
            add_project(folder)
        wanted["python"] = python_of(folder)
        write_stamp(stamp, wanted)


def only_one_at_a_time() -> "IO[str]":
    """A lock: two `make` in one clone would install over each other. It ends with the process, however that ends."""
    try:
        import fcntl
    except ImportError:  # Windows: one user, one make.
        return Path(os.devnull).open()
    state = ROOT / ".megallm"
    state.mkdir(mode=0o700, exist_ok=True)
    lock = (state / "install.lock").open("w")
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        print("Another make is installing in this folder; waiting for it ...", flush=True)
        fcntl.flock(lock, fcntl.LOCK_EX)
    return lock


def python_of(folder: Path) -> "str | None":
    """The version of the Python in an environment; None where there is none, or one that does not run."""
    python = executable(folder, "python")
    try:
        answer = subprocess.run(
            [str(python), "-c", "import pip, sys; print(sys.version.split()[0])"],
            check=False,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=clean_environment(),
        )
    except OSError:
        return None
    return answer.stdout.decode().strip() if answer.returncode == 0 else None


def moved(folder: Path) -> bool:
    """Scripts and stamps name the folder in which they were made."""
    return any((read_stamp(stamp) or {}).get("folder") != str(folder) for stamp in folder.glob(".*.json"))


def read_stamp(path: Path) -> "dict[str, str] | None":
    """What was written after the last whole installation."""
    try:
        stamp = json.loads(path.read_text())
    except (OSError, ValueError):
        return None
    return stamp if isinstance(stamp, dict) else None


def write_stamp(path: Path, stamp: "dict[str, str | None]") -> None:
    """At once: half a stamp would say that the folder was moved, and cost a whole installation."""
    new = path.with_name(path.name + ".new")
    new.write_text(json.dumps(stamp))
    new.replace(path)


def sha256(path: Path) -> str:
    """Of a file's bytes, in hexadecimal."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


def needed_megabytes(whole: int, missing: int, pins: int) -> int:
    """Room for the missing packages: their share of the whole, three times over, because packages differ in size."""
    return min(whole, SMALL_REPAIR_MEGABYTES + 3 * whole * missing // max(pins, 1))


def check_space(folder: Path, megabytes: int) -> None:
    """Raises CannotInstall where fewer megabytes are free."""
    free = shutil.disk_usage(str(folder)).free // 1_000_000
    if free < megabytes:
        raise CannotInstall(
            f"The installation needs about {megabytes} MB in {folder}, and {free} MB are free there. "
            "Make room and run the command again."
        )


def add_project(folder: Path) -> None:
    """Lets the environment import this clone and gives it the `megallm` command, without a build backend."""
    site = subprocess.run(
        [str(executable(folder, "python")), "-c", "import sysconfig; print(sysconfig.get_path('purelib'))"],
        stdout=subprocess.PIPE,
        check=True,
    )
    Path(site.stdout.decode().strip(), "megallm-clone.pth").write_text(f"{ROOT}\n{ROOT / 'shared'}\n")
    command = executable(folder, "megallm")
    # A shell script: the path in a `#!` line must be short and without spaces.
    command.write_text(f'#!/bin/sh\nexec {shlex.quote(str(executable(folder, "python")))} -m megallm "$@"\n')
    command.chmod(0o755)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

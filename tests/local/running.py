"""A real `megallm` in a process of its own, in a folder of its own: what the stack's and the commands' tests drive."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from megallm.local.state import LocalState, StateFolder

# How long a test waits for what takes a moment on a machine that has nothing else to do.
PATIENCE_SECONDS = 60.0
START_SECONDS = 180.0
STOP_SECONDS = 60.0
# What does not end at once takes a minute or more: a model that computes on, a connection that is kept open.
AT_ONCE_SECONDS = 30.0


@dataclass(frozen=True, slots=True)
class Ended:
    """How a command ended."""

    status: int
    stdout: str
    stderr: str


def megallm(
    folder: Path, *arguments: str, environ: Mapping[str, str] | None = None, stdout: IO[str] | None = None
) -> Ended:
    """Runs a command in a folder until it ends by itself. A *stdout* of the test's own gets the answer."""
    done = _start(folder, arguments, environ or {}, stdout=stdout)
    answer, errors = done.communicate(timeout=START_SECONDS)
    return Ended(done.returncode, answer or "", errors)


class RunningStack:
    """`megallm dev` in a folder."""

    def __init__(self, folder: Path, module: str, arguments: tuple[str, ...], environ: Mapping[str, str]) -> None:
        self.folder = StateFolder(folder / ".megallm")
        self.process = _start(folder, ("dev", *arguments), environ, module)

    def state(self) -> LocalState:
        """What it wrote for scripts; waits until it has."""
        deadline = time.monotonic() + START_SECONDS
        while (state := self.folder.load()) is None:
            assert self.process.poll() is None, self.process.communicate()
            assert time.monotonic() < deadline, "the stack did not start"
            time.sleep(0.05)
        return state

    def stop(self, signal_number: int = signal.SIGINT) -> Ended:
        """Sends a signal, as Ctrl-C or the system would, and waits for the end."""
        self.process.send_signal(signal_number)
        stdout, stderr = self.process.communicate(timeout=STOP_SECONDS)
        return Ended(self.process.returncode, stdout, stderr)


@contextmanager
def running_stack(
    folder: Path, *arguments: str, environ: Mapping[str, str] | None = None, module: str = "megallm"
) -> Iterator[RunningStack]:
    """A stack on free ports, ended by force if the test has not done it; *module* is the program that runs it."""
    folder.joinpath(".megallm").mkdir(exist_ok=True)
    stack = RunningStack(folder, module, arguments or ("--port", "0", "--model", "tiny", "--json"), environ or {})
    try:
        yield stack
    finally:
        if stack.process.poll() is None:
            stack.process.kill()
            stack.process.communicate()


def as_json(text: str) -> object:
    """The one JSON document of a command's output."""
    document: object = json.loads(text)
    return document


def _start(
    folder: Path,
    arguments: tuple[str, ...],
    environ: Mapping[str, str],
    module: str = "megallm",
    stdout: IO[str] | None = None,
) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", module, *arguments],
        cwd=folder,
        env={**os.environ, "COLUMNS": "200", **environ},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE if stdout is None else stdout,
        stderr=subprocess.PIPE,
        text=True,
    )

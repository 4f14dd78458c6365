"""What tests of processes need: the Runtime API in a thread, and a runtime started as Lambda starts it."""

import asyncio
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryFile
from types import TracebackType
from typing import Self, TypeVar

from tests.functions.streaming.runtime_api import PATIENCE_SECONDS, RuntimeApi
from tests.functions.streaming.wire import Json

ResultT = TypeVar("ResultT")

ROOT = Path(__file__).resolve().parents[3]
WRAPPER = "functions/api/streaming-wrapper"


class Loop:
    """An event loop in a thread of its own, between ``with`` and its end."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="stubs")

    def wait(self, awaitable: Awaitable[ResultT]) -> ResultT:
        """The result of something of the loop's."""

        async def wait() -> ResultT:
            return await awaitable

        return asyncio.run_coroutine_threadsafe(wait(), self._loop).result(PATIENCE_SECONDS + 10)

    def call(self, function: Callable[[], ResultT]) -> ResultT:
        """Calls a function in the loop's thread."""

        async def call() -> ResultT:
            return function()

        return self.wait(call())

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(PATIENCE_SECONDS)
        while left := asyncio.all_tasks(self._loop):  # a connection of the last moment
            for task in left:
                task.cancel()
            self._loop.run_until_complete(asyncio.gather(*left, return_exceptions=True))
        self._loop.close()


class _Written:
    """What a process writes."""

    def __init__(self) -> None:
        self.file = TemporaryFile()  # noqa: SIM115  the process has it, too

    @property
    def text(self) -> str:
        """So far; its place in the file is the process's, and stays where it is."""
        return os.pread(self.file.fileno(), 10_000_000, 0).decode()


class Lambda:
    """A Runtime API and a process that serves it, between ``with`` and the process's end."""

    def __init__(self, command: Sequence[str | Path], environ: Mapping[str, str], folder: Path = ROOT) -> None:
        self._loop = Loop()
        self._command = command
        self._environ = environ
        self._folder = folder
        self._output = _Written()
        self._errors = _Written()
        self.api = RuntimeApi()
        self.wait = self._loop.wait
        self.call = self._loop.call

    def __enter__(self) -> Self:
        self._loop.__enter__()
        self.wait(self.api.__aenter__())
        self._process = subprocess.Popen(
            self._command,
            cwd=self._folder,
            env={**self._environ, "AWS_LAMBDA_RUNTIME_API": self.api.address},
            stdin=subprocess.DEVNULL,
            stdout=self._output.file,
            stderr=self._errors.file,
        )
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._process.poll() is None:
            self._process.kill()
        self._process.wait(PATIENCE_SECONDS)
        self.wait(self.api.__aexit__(None, None, None))
        self._loop.__exit__(None, None, None)
        self._output.file.close()
        self._errors.file.close()

    def end(self, signal_number: signal.Signals | None = None) -> int:
        """Sends a signal, if there is one, and waits for the process to end; its exit status."""
        if signal_number is not None:
            self._process.send_signal(signal_number)
        return self._process.wait(PATIENCE_SECONDS)

    @property
    def lines(self) -> list[Json]:
        """What the process has logged so far."""
        return [json.loads(line) for line in self.output.splitlines()]

    @property
    def output(self) -> str:
        """The same, as it was written."""
        return self._output.text

    def first_error(self) -> str:
        """The first line on standard error, when it is there."""
        deadline = time.monotonic() + PATIENCE_SECONDS
        while "\n" not in self.errors:
            assert time.monotonic() < deadline, "nothing was written"
            time.sleep(0.02)
        return self.errors.splitlines()[0]

    @property
    def errors(self) -> str:
        """What it has written to standard error."""
        return self._errors.text


def environment(**more: str) -> dict[str, str]:
    """That of a function: nothing of the user's AWS or of another gateway."""
    own = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "MEGALLM_", "PYTHON"))}
    return {
        **own,
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_REGION": "us-east-1",
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_EC2_METADATA_DISABLED": "true",
        "AWS_LAMBDA_FUNCTION_NAME": "megallm-messages",
        "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "1024",
        "LAMBDA_TASK_ROOT": str(ROOT),
        "PYTHONWARNINGS": "error",
        **more,
    }


def wrapped(root: Path = ROOT) -> list[str | Path]:
    """How Lambda starts a function of Python that has our wrapper: with its own interpreter and its own runtime."""
    return [root / WRAPPER, sys.executable, "/var/runtime/bootstrap.py"]

"""Functions of the tests' own under our runtime, in a process: ``python -m tests.functions.streaming.apps NAME``."""

import asyncio
import os
import resource
import sys
from collections.abc import Callable
from importlib import import_module

from mangum.types import Receive, Scope, Send

from functions.api.entry import LambdaEntry
from functions.api.runtime.serve import Function
from functions.api.runtime.start import start
from megallm import telemetry

hooks = import_module("snapshot_restore_py")  # without types

PIECE = b"x" * 100_000
PIECES = 2000
_TO_BYTES = 1 if sys.platform == "darwin" else 1024


def peak() -> int:
    """The most memory that this process has had, in bytes."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * _TO_BYTES


async def large(scope: Scope, receive: Receive, send: Send) -> None:
    """200 MB as fast as they are taken; at the end, by how much the process has grown meanwhile.

    Writes to standard error how many pieces it has sent when it first has to wait.
    """
    sent = 0

    async def watch() -> None:
        seen = -1
        while seen != sent:
            seen = sent
            await asyncio.sleep(0.1)
        print(sent, file=sys.stderr)

    before = peak()
    await send({"type": "http.response.start", "status": 200, "headers": []})
    watching = asyncio.create_task(watch())
    for _ in range(PIECES):
        await send({"type": "http.response.body", "body": PIECE, "more_body": True})
        sent += 1
    await watching
    await send({"type": "http.response.body", "body": b"%d" % (peak() - before)})


async def hello(scope: Scope, receive: Receive, send: Send) -> None:
    """Says hello."""
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b"hello"})


async def close() -> None:
    """Nothing is open."""


def load_large() -> Function:
    """A function with a large response."""
    telemetry.configure()
    return Function(LambdaEntry(large), close)


def load_hello() -> Function:
    """A function that says on standard error what becomes of it."""
    hooks.register_before_snapshot(print, "before: registered first", file=sys.stderr)
    hooks.register_before_snapshot(print, "before: registered last", file=sys.stderr)
    hooks.register_after_restore(print, "after: registered first", file=sys.stderr)
    hooks.register_after_restore(print, "after: registered last", file=sys.stderr)
    return Function(LambdaEntry(hello), close)


def _fail(text: str) -> None:
    raise ValueError(text)


def load_failing_before() -> Function:
    """A function that cannot be copied."""
    hooks.register_before_snapshot(_fail, "no snapshot of this")
    return load_hello()


def load_failing_after() -> Function:
    """A function of which the copies cannot live."""
    hooks.register_after_restore(_fail, "no life after this")
    return load_hello()


LOADS: dict[str, Callable[[], Function]] = {
    each.__name__: each for each in (load_large, load_hello, load_failing_before, load_failing_after)
}

if __name__ == "__main__":
    sys.exit(start(os.environ, LOADS[sys.argv[1]]))

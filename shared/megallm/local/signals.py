"""How Ctrl-C and SIGTERM end a process that is busy: at once, wherever it is, and the second time by force."""

import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from types import FrameType
from typing import NoReturn, TypeVar

T = TypeVar("T")
SIGNALS = (signal.SIGINT, signal.SIGTERM)


class Stopped(BaseException):
    """The user, or the system, wants the process to end. Not an Exception: nothing on the way may swallow it."""

    def __init__(self, signal_number: int) -> None:
        super().__init__(signal_number)
        self.exit_status = 128 + signal_number


@contextmanager
def stoppable() -> Iterator[None]:
    """Within it, a first signal raises Stopped in the main thread and a further one ends the process on the spot."""
    asked = False

    def stop(number: int, frame: FrameType | None) -> None:
        nonlocal asked
        if asked:
            leave(128 + number)
        asked = True
        raise Stopped(number)

    before = {number: signal.signal(number, stop) for number in SIGNALS}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def in_background(work: Callable[[], T]) -> T:
    """Does slow native work in a thread, so that a signal finds the main thread ready for it.

    If Stopped comes, the work still runs: end the process with ``leave``.
    """
    outcome: Future[T] = Future()

    def run() -> None:
        try:
            outcome.set_result(work())
        except BaseException as error:  # noqa: BLE001  # it goes to whoever waits
            outcome.set_exception(error)

    threading.Thread(target=run, daemon=True).start()
    return outcome.result()


def leave(status: int) -> NoReturn:
    """Ends the process without running what native threads would crash in."""
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(status)

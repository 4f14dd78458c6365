"""How Ctrl-C, SIGTERM and a closed terminal end a process that is busy: at once, and the second time by force."""

import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager, suppress
from types import FrameType
from typing import NoReturn, TypeVar

T = TypeVar("T")
SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Stopped(BaseException):
    """The user, or the system, wants the process to end. Not an Exception: nothing on the way may swallow it."""

    def __init__(self, signal_number: int) -> None:
        super().__init__(signal_number)
        self.exit_status = 128 + signal_number


@contextmanager
def stoppable(cleanup: Callable[[], None] = lambda: None) -> Iterator[None]:
    """Within it, a first signal raises Stopped in the main thread and a further one ends the process on the spot.

    *cleanup* is what must be done even then; it has to be quick. SIGHUP stays ignored where it was, as under nohup.
    """
    asked = False

    def stop(number: int, frame: FrameType | None) -> None:
        nonlocal asked
        if asked:
            leave(128 + number, cleanup)
        asked = True
        raise Stopped(number)

    before = {number: signal.signal(number, stop) for number in SIGNALS if not _ignored_hangup(number)}
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


def leave(status: int, cleanup: Callable[[], None] = lambda: None) -> NoReturn:
    """Cleans up and ends the process, without waiting for threads and without what native ones would crash in."""
    try:
        cleanup()
        for stream in (sys.stdout, sys.stderr):
            with suppress(OSError):  # The terminal may be gone: then there is nobody to tell.
                stream.flush()
    finally:
        os._exit(status)


def _ignored_hangup(number: int) -> bool:
    return number == signal.SIGHUP and signal.getsignal(number) == signal.SIG_IGN

"""An event loop whose time jumps to the next timer as soon as nothing else is left to do."""

import asyncio
import selectors
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

from megallm.limits.state import SECOND

BEGIN = 1_800_000_000

ResultT = TypeVar("ResultT")


class SimulatedTime:
    """The seconds that have passed in the loop; callable as the limiter's clock, in nanoseconds since 1970."""

    def __init__(self) -> None:
        self.seconds = 0.0

    def __call__(self) -> int:
        return BEGIN * SECOND + round(self.seconds * SECOND)


class _Jumping(selectors.SelectSelector):
    def __init__(self, time: SimulatedTime) -> None:
        super().__init__()
        self._time = time

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        ready = super().select(0)
        if ready or timeout == 0:
            return ready
        assert timeout is not None, "nothing can go on from here"
        self._time.seconds += timeout
        return ready


class _Loop(asyncio.SelectorEventLoop):
    def __init__(self, time: SimulatedTime) -> None:
        super().__init__(_Jumping(time))
        self._simulated = time

    def time(self) -> float:
        return self._simulated.seconds

    def run_in_executor(self, executor: object, func: Callable[..., ResultT], *args: object) -> asyncio.Future[ResultT]:
        """At once: while a thread worked, time would jump on."""
        future: asyncio.Future[ResultT] = self.create_future()
        try:
            future.set_result(func(*args))
        except Exception as error:  # noqa: BLE001  it is the awaiter's
            future.set_exception(error)
        return future


def simulated(work: Coroutine[Any, Any, ResultT], time: SimulatedTime) -> ResultT:
    """Runs to the end in simulated time, which takes as long as its computing takes."""
    with asyncio.Runner(loop_factory=lambda: _Loop(time)) as runner:
        return runner.run(work)

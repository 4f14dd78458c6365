"""The time that one upstream call may take, along all its routes and on one of them."""

import asyncio
from types import TracebackType

from megallm.errors import UpstreamTimedOut
from megallm.operations.gateway import Gateway


class RouteTimedOut(UpstreamTimedOut):
    """A route did not begin to answer within its own limit: the next one is to be tried, not this one again."""


# What a Lambda function keeps back to tell its client, settle and write its log.
_RESERVE_SECONDS = 1.0


def seconds_for(gateway: Gateway, seconds_left: float | None) -> float:
    """The setting's, or less where the function that we run in ends before (its seconds left; None: it does not)."""
    limit = gateway.settings.upstream_timeout_seconds
    return limit if seconds_left is None else max(0.0, min(limit, seconds_left - _RESERVE_SECONDS))


class Deadline:
    """Cancels its block after so many seconds, and raises UpstreamTimedOut. A TimeoutError of the block's own passes.

    A class and not a generator, which would cost every request some microseconds more.
    """

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._limit = asyncio.timeout(seconds)

    async def __aenter__(self) -> None:
        await self._limit.__aenter__()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        try:
            await self._limit.__aexit__(kind, error, traceback)
        except TimeoutError as timeout:
            raise UpstreamTimedOut(f"The model did not finish within {self._seconds:g} seconds") from timeout


class RouteLimit:
    """Cancels its block where a route has not begun to answer after so many seconds, and raises RouteTimedOut.

    None is no limit. ``lift`` takes it away while the block runs.
    """

    def __init__(self, seconds: float | None) -> None:
        self._limit = asyncio.timeout(seconds)

    async def __aenter__(self) -> None:
        await self._limit.__aenter__()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        try:
            await self._limit.__aexit__(kind, error, traceback)
        except TimeoutError as timeout:
            raise RouteTimedOut("The model's provider did not begin to answer in time") from timeout

    def lift(self) -> bool:
        """Whether it was lifted; False where it has run out already and the block is about to end."""
        if self._limit.expired():
            return False
        self._limit.reschedule(None)
        return True

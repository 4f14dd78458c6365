"""The time that one upstream call may take."""

import asyncio
from types import TracebackType

from megallm.errors import UpstreamTimedOut
from megallm.operations.gateway import Gateway

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

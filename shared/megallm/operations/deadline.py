"""The time that one upstream call may take."""

import asyncio
from types import TracebackType

from megallm.errors import UpstreamTimedOut


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

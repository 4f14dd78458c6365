"""The time that one upstream call may take."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from megallm.errors import UpstreamTimedOut


@asynccontextmanager
async def deadline(seconds: float) -> AsyncIterator[None]:
    """Cancels the block after so long, and raises UpstreamTimedOut. A TimeoutError of the block's own passes."""
    limit = asyncio.timeout(seconds)
    try:
        async with limit:
            yield
    except TimeoutError as error:
        if not limit.expired():
            raise
        raise UpstreamTimedOut(f"The model did not finish within {seconds:g} seconds") from error

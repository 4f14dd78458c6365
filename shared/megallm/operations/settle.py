"""Settling an admission so that no cancellation, however late, cuts it short."""

import asyncio

from megallm.messages.events import Usage
from megallm.operations.ports import Admission


async def settle_to_the_end(admission: Admission, usage: Usage | None) -> None:
    """Settles. If it is cancelled meanwhile, it finishes first and passes the cancellation on then."""
    work = asyncio.ensure_future(admission.settle(usage))
    try:
        await asyncio.shield(work)
    except asyncio.CancelledError:
        await asyncio.wait([work])
        raise

"""Settling an admission so that no cancellation, however late, cuts it short."""

import asyncio

from megallm.messages.events import Usage
from megallm.operations.ports import Admission


async def settle_to_the_end(admission: Admission, usage: Usage | None) -> None:
    """Settles. If it is cancelled meanwhile, it finishes first and passes the cancellation on then."""
    pending = admission.settle(usage)
    if pending is None:
        return
    work = asyncio.ensure_future(pending)
    try:
        await asyncio.shield(work)
    except asyncio.CancelledError:
        await asyncio.wait([work])
        raise

"""Settling an admission: with what the call is charged, and so that no cancellation, however late, cuts it short."""

import asyncio

from megallm.errors import GatewayError, UpstreamTimedOut
from megallm.messages.events import Usage
from megallm.operations.ports import Admission

_NOTHING = Usage()


def charged(usage: Usage | None, failure: BaseException | None) -> Usage | None:
    """What a call is settled with that ended with *failure*, or well; None leaves what was reserved for it charged.

    A call that was refused before it used anything is charged nothing. One that was cancelled or timed out before the
    upstream told anything, or whose upstream counts no tokens, may well have cost its operator something.
    """
    if usage is None or (failure is None and usage.prompt_tokens + usage.output_tokens == 0):
        refused = isinstance(failure, GatewayError) and not isinstance(failure, UpstreamTimedOut)
        return _NOTHING if refused else None
    return usage


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

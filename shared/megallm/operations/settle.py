"""Settling an admission: with what the call is charged, and so that no cancellation, however late, cuts it short."""

import asyncio

from megallm.catalog.models import Prices
from megallm.errors import GatewayError, UpstreamTimedOut
from megallm.limits.ledger import Used
from megallm.messages.events import Usage
from megallm.operations.batch_cost import microdollars_of
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


def counted(usage: Usage | None, prices: Prices | None) -> Used | None:
    """What the ledger gets of a call that is charged this: nothing of one that used nothing.

    One of which no tokens are known is a request without any.
    """
    if usage is None:
        return Used(requests=1)
    if usage.prompt_tokens + usage.output_tokens == 0:
        return None
    return Used(
        requests=1,
        input_tokens=usage.prompt_tokens,
        cache_read_tokens=usage.cache_read_input_tokens,
        cache_write_tokens=usage.cache_creation_input_tokens,
        output_tokens=usage.output_tokens,
        nanodollars=None if prices is None else round(microdollars_of(usage, prices) * 1000),
    )


async def settle_to_the_end(admission: Admission, usage: Usage | None, prices: Prices | None = None) -> None:
    """Settles, and counts by these *prices*. If it is cancelled meanwhile, it finishes first and passes it on then."""
    pending = admission.settle(usage, counted(usage, prices))
    if pending is None:
        return
    work = asyncio.ensure_future(pending)
    try:
        await asyncio.shield(work)
    except asyncio.CancelledError:
        await asyncio.wait([work])
        raise

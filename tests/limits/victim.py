"""A process that has a call let in and settles it, and is killed at some point of that.

    python -m tests.limits.victim URL KEY_ID

Prints each step before it takes it. At "settle" it waits to be told.
"""

import asyncio
import sys

from megallm.keys import Caller
from megallm.limits.state import SECOND
from megallm.messages.events import Usage
from tests.limits.over import dynamo_http, limiter_over
from tests.limits.simulated_time import BEGIN

TOKENS = 1000
RENEW_SECONDS = 0.2


async def main(url: str, key_id: str) -> None:
    """One call."""
    limiter = limiter_over(dynamo_http(url), lambda: BEGIN * SECOND, renew_seconds=RENEW_SECONDS)
    print("admit", flush=True)
    admission = await limiter.admit(Caller(key_id, "basic"), TOKENS)
    print("settle", flush=True)
    await asyncio.to_thread(sys.stdin.readline)
    pending = admission.settle(Usage(input_tokens=1))
    assert pending is not None
    await pending
    print("done", flush=True)


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))

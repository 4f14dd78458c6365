"""How fast this machine is now, beside the one on which the targets in microseconds were set.

Issue 3 names what a call of FastAPI + httpx to a stub upstream took there; what it takes here at best says how many
times longer everything may take.
"""

import os

from mangum import Mangum

from tests.benchmarks import servers
from tests.benchmarks.invocation import event, invocation, small_body
from tests.benchmarks.measure import Row, alternate

HTTPX_SECONDS = 917e-6


def slowness(url: str) -> float:
    """The factor by which targets in seconds are stretched; *url* is the stub upstream's."""
    os.environ["UPSTREAM"] = url
    call = invocation(Mangum(servers.plain_httpx(), lifespan="off"), event(small_body()))
    return stretched(alternate({"httpx": call}, times=100, rounds=7)["httpx"])


def stretched(httpx_seconds: list[float]) -> float:
    """The same, from what the call took in this run."""
    return max(1.0, min(httpx_seconds) / HTTPX_SECONDS)


def row(factor: float) -> Row:
    """What the table says of it."""
    return Row(
        "Targets in time are stretched, since FastAPI + httpx takes longer here than where they were set",
        f"{factor:.1f}×",
    )

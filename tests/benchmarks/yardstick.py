"""How fast this machine is now, beside the one on which the targets in microseconds were set.

Issue 3 names what a call to a stub upstream took there with FastAPI + httpx and with FastAPI + aiohttp. The first is
mostly Python's work, the second mostly the system's, and machines differ in how much slower they do each. So what is
nearly all Python is stretched by the first; what has sockets in it is a place between what the two take here.
"""

import os
from dataclasses import dataclass

from mangum import Mangum

from tests.benchmarks import servers
from tests.benchmarks.invocation import event, invocation, small_body
from tests.benchmarks.measure import Row, alternate

HTTPX_SECONDS = 917e-6
AIOHTTP_SECONDS = 209e-6


@dataclass(frozen=True, slots=True)
class Marks:
    """What the two calls take here at best, in seconds of CPU."""

    aiohttp: float
    httpx: float

    @property
    def factor(self) -> float:
        """By how much targets of Python's work are stretched."""
        return stretched([self.httpx])

    def between(self, later: "Marks") -> "Marks":
        """What they were on the way to *later*: a shared machine is slower at times, for seconds or minutes."""
        return Marks((self.aiohttp + later.aiohttp) / 2, (self.httpx + later.httpx) / 2)

    def place(self, seconds: float) -> float:
        """Where a duration of this machine stands: 0 where aiohttp's mark is, 1 where httpx's is."""
        return (seconds - self.aiohttp) / (self.httpx - self.aiohttp)


def place_there(seconds: float) -> float:
    """The same for a duration of the machine on which the targets were set."""
    return Marks(AIOHTTP_SECONDS, HTTPX_SECONDS).place(seconds)


def marks(url: str) -> Marks:
    """Measures both; *url* is the stub upstream's."""
    os.environ["UPSTREAM"] = url
    what = event(small_body())
    works = {
        "httpx": invocation(Mangum(servers.plain_httpx(), lifespan="off"), what),
        "aiohttp": invocation(Mangum(servers.plain_aiohttp(), lifespan="off"), what),
    }
    took = alternate(works, times=100, rounds=7)
    return Marks(min(took["aiohttp"]), min(took["httpx"]))


def slowness(url: str) -> float:
    """The factor by which targets in seconds are stretched; *url* is the stub upstream's."""
    return marks(url).factor


def stretched(httpx_seconds: list[float]) -> float:
    """The same, from what the call took in this run."""
    return max(1.0, min(httpx_seconds) / HTTPX_SECONDS)


def row(factor: float) -> Row:
    """What the table says of it."""
    return Row(
        "Targets in time are stretched, since FastAPI + httpx takes longer here than where they were set",
        f"{factor:.1f}×",
    )

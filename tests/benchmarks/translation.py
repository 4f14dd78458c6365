"""One request translated for an upstream in another process, and its reply back: the CPU of this process alone."""

import asyncio
import gc
import os
import time
from statistics import median

from mangum import Mangum
from starlette.types import ASGIApp

from functions.api.app import create_app
from functions.heap import settle
from megallm.providers.http import Http
from tests.benchmarks import servers
from tests.benchmarks.asgi import body_of
from tests.benchmarks.invocation import Event, event, invocation, large_body, small_body
from tests.benchmarks.measure import Row, alternate, ratio
from tests.benchmarks.processes import upstream
from tests.benchmarks.yardstick import Marks, place_there, row

PLACE = place_there(500e-6)  # what issue 3 gives one translated request
FEW, MANY = 8, 512


def run() -> list[Row]:
    """CPU of a translated request: small, large, and one among many."""
    with upstream() as url:
        return _alone(url) + asyncio.run(_in_flight(f"{url}/slow/v1"))


def _alone(url: str) -> list[Row]:
    os.environ["UPSTREAM"] = url
    small, large = event(small_body()), event(large_body())
    ours = Mangum(create_app(servers.translating(f"{url}/v1", Http())), lifespan="off")
    works = {
        "httpx": invocation(Mangum(servers.plain_httpx(), lifespan="off"), small),
        "aiohttp": invocation(Mangum(servers.plain_aiohttp(), lifespan="off"), small),
        "ours": invocation(ours, small),
    }
    heavy = {"large": invocation(ours, large)}
    settle()  # as functions/api/handler.py does
    results = alternate(works, times=300, rounds=9)
    large_ms = min(alternate(heavy, times=20, rounds=9)["large"]) * 1e3
    found = Marks(min(results["aiohttp"]), min(results["httpx"]))
    factor = found.factor
    micro = {name: min(values) * 1e6 for name, values in results.items()}
    place = found.place(min(results["ours"]))
    return [
        row(factor),
        Row("Mangum + FastAPI + httpx to a stub upstream, CPU of one call", f"{micro['httpx']:.0f} µs"),
        Row("Mangum + FastAPI + aiohttp to a stub upstream", f"{micro['aiohttp']:.0f} µs"),
        Row(
            f"MegaLLM, {len(small['body'])} byte request translated for a stub upstream",
            f"{micro['ours']:.0f} µs = {micro['ours'] / micro['httpx']:.2f}× httpx, {place:.2f} of the way to it",
            f"≤ {PLACE:.2f} of the way from aiohttp to httpx",
            place <= PLACE,
        ),
        Row(
            f"MegaLLM, {len(large['body']) // 1000} KB request translated for a stub upstream",
            f"{large_ms:.2f} ms",
            f"≤ 3 ms × {factor:.1f}",
            large_ms <= 3 * factor,
        ),
    ]


async def _in_flight(url: str) -> list[Row]:
    """CPU of a call at few and at many in flight, in turn; the upstream takes its time with each."""
    http = Http()
    app, what = create_app(servers.translating(url, http)), event(small_body())
    few: list[float] = []
    many: list[float] = []
    await _calls(app, what, calls=MANY, at_once=MANY)  # opens the connections
    for _ in range(5):
        few.append(await _calls(app, what, calls=40 * FEW, at_once=FEW))
        many.append(await _calls(app, what, calls=4 * MANY, at_once=MANY))
    await http.aclose()
    grown = ratio(many, few)
    return [
        Row(f"MegaLLM, {FEW} translated calls in flight, CPU of each", f"{median(few) * 1e6:.0f} µs"),
        Row(
            f"MegaLLM, {MANY} of them in flight",
            f"{median(many) * 1e6:.0f} µs = {grown:.2f}× that at {FEW}",
            "≤ 1.1×",
            grown <= 1.1,
        ),
    ]


async def _calls(app: ASGIApp, what: Event, *, calls: int, at_once: int) -> float:
    left = calls

    async def one_after_the_other() -> None:
        nonlocal left
        while left > 0:
            left -= 1
            await body_of(app, what)

    gc.collect()
    began = time.process_time()
    await asyncio.gather(*(one_after_the_other() for _ in range(at_once)))
    return (time.process_time() - began) / calls

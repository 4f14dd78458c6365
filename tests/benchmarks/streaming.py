"""A streamed reply through the gateway: what an event costs, what the first one waits, and whether any is held back."""

import asyncio
import gc
import time
from statistics import median

from starlette.types import ASGIApp

from functions.api.app import create_app
from functions.heap import settle
from megallm.providers.http import Http
from tests.benchmarks import servers
from tests.benchmarks.asgi import body_of
from tests.benchmarks.invocation import Event, event, small_body
from tests.benchmarks.load import Client, head_of
from tests.benchmarks.measure import Row
from tests.benchmarks.processes import OURS, upstream, uvicorn
from tests.benchmarks.upstream import BURST, STEPS
from tests.benchmarks.yardstick import row, slowness
from tests.fakes import KEY

PATIENCE_SECONDS = 10.0


def run() -> list[Row]:
    """CPU of an event, the wait for the first, and the pace."""
    with upstream() as url:
        factor = slowness(url)
        rows = [row(factor), *asyncio.run(_cpu_of_an_event(url, factor))]
        with uvicorn("tests.benchmarks.servers:ours", http=OURS, UPSTREAM=f"{url}/burst-1") as port:
            rows += asyncio.run(_first_event(int(url.rpartition(":")[2]), port, factor))
        with uvicorn("tests.benchmarks.servers:ours", http=OURS, UPSTREAM=f"{url}/stepped") as port:
            rows += asyncio.run(_pace(int(url.rpartition(":")[2]), port))
    return rows


def _streamed() -> Event:
    return event({**small_body(), "stream": True})


async def _cpu_of_an_event(url: str, factor: float) -> list[Row]:
    http = Http()
    one = create_app(servers.translating(f"{url}/burst-1/v1", http))
    burst = create_app(servers.translating(f"{url}/burst-{BURST + 1}/v1", http))
    what = _streamed()
    whole = await body_of(burst, what)
    if whole.count(b"text_delta") != BURST + 1 or b"message_stop" not in whole:
        raise RuntimeError("the burst does not come through whole")
    settle()
    singles: list[float] = []
    bursts: list[float] = []
    for _ in range(9):
        singles.append(await _cpu(one, what, times=100))
        bursts.append(await _cpu(burst, what, times=100))
    await http.aclose()
    micro = (min(bursts) - min(singles)) / BURST * 1e6
    return [
        Row("MegaLLM, a streamed reply of one event, CPU", f"{min(singles) * 1e6:.0f} µs"),
        Row(
            f"MegaLLM, each further event in a burst of {BURST}, CPU",
            f"{micro:.1f} µs",
            f"≤ 5 µs × {factor:.1f}",
            micro <= 5 * factor,
        ),
    ]


async def _cpu(app: ASGIApp, what: Event, *, times: int) -> float:
    gc.collect()
    began = time.process_time()
    for _ in range(times):
        await body_of(app, what)
    return (time.process_time() - began) / times


async def _first_event(upstream_port: int, port: int, factor: float) -> list[Row]:
    """Wall time from the request to the first text, through the gateway and without it, in turn."""
    body = _streamed()["body"].encode()
    direct = await Client.connect(upstream_port)
    through = await Client.connect(port)
    asks: dict[Client, tuple[bytes, bytes]] = {
        direct: (head_of("/burst-1/v1/chat/completions", {"content-type": "application/json"}, body), b"word0"),
        through: (head_of("/v1/messages", {"content-type": "application/json", "x-api-key": KEY}, body), b"word0"),
    }
    seconds: dict[Client, list[float]] = {direct: [], through: []}
    for turn in range(300):
        for client, (head, first) in asks.items():
            began = time.perf_counter()
            await client.send(head + body)
            await client.until(first)
            took = time.perf_counter() - began
            await client.until(b"\r\n0\r\n\r\n")
            if turn >= 20:
                seconds[client].append(took)
    for client in asks:
        await client.close()
    added = median(one - other for one, other in zip(seconds[through], seconds[direct], strict=True)) * 1e3
    plain = median(seconds[direct]) * 1e3
    return [
        Row("Time to the first event of a stub upstream, asked directly", f"{plain:.2f} ms"),
        Row("Added by MegaLLM", f"{added:.2f} ms", f"≤ 0.6 ms × {factor:.1f}", added <= 0.6 * factor),
    ]


async def _pace(upstream_port: int, port: int) -> list[Row]:
    """The upstream sends an event only when this client has received the one before: one held back would end it."""
    body = _streamed()["body"].encode()
    client, step = await Client.connect(port), await Client.connect(upstream_port)
    received = 0
    try:
        async with asyncio.timeout(PATIENCE_SECONDS):
            await client.send(
                head_of("/v1/messages", {"x-api-key": KEY, "content-type": "application/json"}, body) + body
            )
            for number in range(STEPS):
                await client.until(b"word%d" % number)
                received += 1
                await step.send(head_of("/step", {}, b""))
                await step.until(b"\r\n\r\n")
            await client.until(b"message_stop")
    except TimeoutError:
        pass
    await client.close()
    await step.close()
    return [
        Row(
            "Events that arrive before the upstream sends the next",
            f"{received} of {STEPS}",
            "all",
            received == STEPS,
        )
    ]

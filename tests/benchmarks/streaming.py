"""A streamed reply through the gateway: what an event costs, what the first one waits, and whether any is held back."""

import asyncio
import gc
import os
import time
from dataclasses import dataclass
from statistics import median

import aiohttp
from starlette.types import ASGIApp, Receive, Scope, Send

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
from tests.benchmarks.yardstick import Marks, marks, place_there, row
from tests.fakes import KEY

PATIENCE_SECONDS = 10.0
WARM_TURNS, ROUNDS, TURNS = 20, 12, 40
FIRST_EVENT_PLACE = place_there(0.6e-3)  # what issue 3 lets us add to the first event: all of it sockets and loops


def run() -> list[Row]:
    """CPU of an event, the wait for the first, and the pace."""
    with upstream() as url:
        found = marks(url)
        rows = [row(found.factor), *asyncio.run(_cpu_of_an_event(url, found.factor))]
        with (
            uvicorn("tests.benchmarks.servers:ours", http=OURS, UPSTREAM=f"{url}/burst-1") as port,
            uvicorn("tests.benchmarks.streaming:relay", http=OURS, UPSTREAM=f"{url}/burst-1") as relay_port,
        ):
            before = marks(url)
            waits = asyncio.run(_first_event(int(url.rpartition(":")[2]), port, relay_port))
            rows += waits.rows(before.between(marks(url)))
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


def relay() -> ASGIApp:
    """The least that a gateway of Python can do: the body goes up and the bytes come down, unread."""
    sessions: list[aiohttp.ClientSession] = []  # made on the loop that uses it
    url = f"{os.environ['UPSTREAM']}/v1/chat/completions"

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        if not sessions:
            sessions.append(aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)))
        body = (await receive())["body"]
        async with sessions[0].post(url, data=body, headers={"content-type": "application/json"}) as answer:
            await send({"type": "http.response.start", "status": answer.status, "headers": []})
            async for piece in answer.content.iter_any():
                await send({"type": "http.response.body", "body": piece, "more_body": True})
        await send({"type": "http.response.body", "body": b""})

    return app


@dataclass(frozen=True, slots=True)
class _Waits:
    """Milliseconds to the first event: asked directly, and what a relay and we add to that. Each of its best round."""

    direct: float
    relay: float
    ours: float

    def rows(self, found: Marks) -> list[Row]:
        place = found.place(self.ours / 1e3)
        return [
            Row("Time to the first event of a stub upstream, asked directly", f"{self.direct:.2f} ms"),
            Row("Added by a bare ASGI app that relays bytes over aiohttp", f"{self.relay:.2f} ms"),
            Row(
                "Added by MegaLLM",
                f"{self.ours:.2f} ms = {self.ours / self.relay:.2f}× the relay, {place:.2f} of the way from "
                f"{found.aiohttp * 1e3:.2f} (aiohttp) to {found.httpx * 1e3:.2f} ms (httpx)",
                f"≤ {FIRST_EVENT_PLACE:.2f} of the way, as 0.6 ms was where the target was set",
                place <= FIRST_EVENT_PLACE,
            ),
        ]


async def _first_event(upstream_port: int, port: int, relay_port: int) -> _Waits:
    """Wall time from the request to the first text: without a gateway, through ours and through a relay, in turn."""
    body = _streamed()["body"].encode()
    direct, through, relayed = [await Client.connect(each) for each in (upstream_port, port, relay_port)]
    content = {"content-type": "application/json"}
    heads = {
        direct: head_of("/burst-1/v1/chat/completions", content, body),
        through: head_of("/v1/messages", content | {"x-api-key": KEY}, body),
        relayed: head_of("/", content, body),
    }
    seconds: dict[Client, list[float]] = {client: [] for client in heads}
    for turn in range(WARM_TURNS + ROUNDS * TURNS):
        for client, head in heads.items():
            began = time.perf_counter()
            await client.send(head + body)
            await client.until(b"word0")
            took = time.perf_counter() - began
            await client.until(b"\r\n0\r\n\r\n")
            if turn >= WARM_TURNS:
                seconds[client].append(took)
    for client in heads:
        await client.close()

    def added(client: Client) -> float:
        return _best([one - other for one, other in zip(seconds[client], seconds[direct], strict=True)])

    return _Waits(_best(seconds[direct]), added(relayed), added(through))


def _best(seconds: list[float]) -> float:
    """Milliseconds: the median of the best round, as the marks are the means of their best rounds."""
    return min(median(seconds[at : at + TURNS]) for at in range(0, len(seconds), TURNS)) * 1e3


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

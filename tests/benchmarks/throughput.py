"""Requests per second at concurrency 8, each server in a process of its own, in front of one stub upstream."""

import asyncio
import json
from contextlib import ExitStack
from statistics import median

from tests.benchmarks.invocation import small_body
from tests.benchmarks.load import requests_per_second
from tests.benchmarks.measure import Row
from tests.benchmarks.peers import PEER_KEY, PEERS
from tests.benchmarks.processes import OURS, upstream, uvicorn
from tests.fakes import KEY

CONNECTIONS, REQUESTS, SECONDS, ROUNDS = 8, 3000, 6.0, 3


def run() -> list[Row]:
    """The table of rates; who is not installed is said to be missing."""
    ours, plain = "MegaLLM", "FastAPI + httpx"
    ports: dict[str, int] = {}
    rates: dict[str, list[float]] = {}
    with ExitStack() as stack:
        url = stack.enter_context(upstream())
        stubbed = stack.enter_context(uvicorn("tests.benchmarks.servers:ours_stubbed", http=OURS))
        ports["MegaLLM, stubbed provider"] = stubbed
        ports[ours] = stack.enter_context(uvicorn("tests.benchmarks.servers:ours", http=OURS, UPSTREAM=url))
        ports[plain] = stack.enter_context(uvicorn("tests.benchmarks.servers:plain_httpx", UPSTREAM=url))
        for peer in PEERS:
            if peer.missing is None:
                ports[peer.name] = stack.enter_context(peer.start(url))
        for _ in range(ROUNDS):
            for name, port in ports.items():
                key = PEER_KEY if name in {peer.name for peer in PEERS} else KEY
                rates.setdefault(name, []).append(_rate(port, key))
    reached = {name: median(values) for name, values in rates.items()}
    to_beat = [reached[peer.name] for peer in PEERS if peer.slower and peer.name in reached]
    rows = [
        Row(f"{name}, c={CONNECTIONS}", f"{reached[name]:,.0f} requests/s")
        for name in reached
        if name not in (ours, *(peer.name for peer in PEERS))
    ]
    rows.append(
        Row(
            f"{ours}, translating for a stub upstream, c={CONNECTIONS}",
            f"{reached[ours]:,.0f} requests/s",
            "> every Python and Node peer",
            all(reached[ours] > rate for rate in to_beat),
        )
    )
    for peer in PEERS:
        figures = peer.missing or f"{reached[peer.name]:,.0f} requests/s"
        rows.append(Row(f"{peer.name} ({peer.language}), the same, c={CONNECTIONS}", figures))
    return rows


def _rate(port: int, key: str) -> float:
    headers = {"x-api-key": key, "content-type": "application/json"}
    body = json.dumps(small_body()).encode()
    return asyncio.run(
        requests_per_second(port, body, headers, connections=CONNECTIONS, requests=REQUESTS, seconds=SECONDS)
    )

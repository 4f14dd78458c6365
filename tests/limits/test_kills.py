"""A process is killed at each point between admitting and settling: its lease heals the key within a minute (C37)."""

import asyncio
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from megallm.errors import RateLimited
from megallm.keys import Caller
from megallm.limits.state import MINUTE, SECOND
from tests.limits.engines import moto
from tests.limits.over import dynamo_http, limiter_over
from tests.limits.proxy import Fate, Proxy, once
from tests.limits.simulated_time import BEGIN
from tests.limits.victim import TOKENS

pytestmark = pytest.mark.slow

PATIENCE_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class Point:
    """Where the process is when it is killed: before or after a call is applied, or between them."""

    kind: str
    fate: Fate
    admitted: bool
    settled: bool = False


POINTS = {
    "before the admission is applied": Point("admit", "hold the request", admitted=False),
    "before the admission is answered": Point("admit", "hold the answer", admitted=True),
    "while the call runs": Point("none", "pass", admitted=True),
    "before a renewal is applied": Point("renew", "hold the request", admitted=True),
    "before a renewal is answered": Point("renew", "hold the answer", admitted=True),
    "before the settlement is applied": Point("settle", "hold the request", admitted=True),
    "before the settlement is answered": Point("settle", "hold the answer", admitted=True, settled=True),
}


@pytest.fixture(scope="module")
def engine() -> Iterator[str]:
    """moto, as the local stack has it."""
    with moto() as url:
        yield url


def kill_at(point: Point, url: str, key_id: str) -> None:
    """Starts a process, and kills it there."""
    with Proxy(url, once(point.kind, point.fate)).running() as proxy:
        command = [sys.executable, "-m", "tests.limits.victim", proxy.url, key_id]
        victim = subprocess.Popen(
            command, cwd=Path(__file__).parents[2], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        assert victim.stdin is not None
        assert victim.stdout is not None
        assert victim.stdout.readline() == "admit\n"
        if point.kind != "admit":
            assert victim.stdout.readline() == "settle\n"
        if point.kind == "settle":
            victim.stdin.write("\n")
            victim.stdin.flush()
        if point.kind != "none":
            assert proxy.held.wait(PATIENCE_SECONDS)
        victim.send_signal(signal.SIGKILL)
        victim.communicate(timeout=PATIENCE_SECONDS)


@pytest.mark.parametrize("where", POINTS)
def test_a_killed_call_frees_its_slot_and_leaves_its_tokens_charged(engine: str, where: str) -> None:
    """Not before its lease ends, since it might still run; and not a second later."""
    point, key_id = POINTS[where], where.replace(" ", "-")

    async def free_slots(after_seconds: int) -> int:
        http, free = dynamo_http(engine), 0
        limiter = limiter_over(http, lambda: (BEGIN + after_seconds) * SECOND, renew_seconds=3600)
        admissions = []
        while True:
            try:
                admissions.append(await limiter.admit(Caller(key_id, "basic"), 1))
            except RateLimited:
                break
            free += 1
        for admission in admissions:
            pending = admission.settle(None)
            assert pending is not None
            await pending
        await http.aclose()
        return free

    async def charged() -> tuple[int, int]:
        """Requests and tokens, as their moments tell."""
        http = dynamo_http(engine)
        answer = await http.call("GetItem", {"TableName": "limits", "Key": {"id": {"S": key_id}}})
        await http.aclose()
        requests, tokens = int(answer["Item"]["rt"]["N"]), int(answer["Item"]["tt"]["N"])
        return (requests - BEGIN * SECOND) * 50 // MINUTE, (tokens - BEGIN * SECOND) * 100_000 // MINUTE

    asyncio.run(free_slots(-3600))  # the key has an item, and has long been idle
    kill_at(point, engine, key_id)

    if point.admitted:
        assert asyncio.run(charged()) == (1, 1 if point.settled else TOKENS)
    held = int(point.admitted and not point.settled)
    assert asyncio.run(free_slots(59)) == 10 - held
    assert asyncio.run(free_slots(60)) == 10

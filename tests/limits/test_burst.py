"""A burst beyond the limits, through the official SDK's own retries and the whole app, in simulated time."""

import asyncio
from collections import Counter
from itertools import cycle

import anthropic
import httpx2
import pytest
from starlette.types import Receive, Scope, Send

from functions.api.app import create_app
from megallm.limits.tiers import load
from megallm.messages.calls import Call
from megallm.messages.events import Usage
from megallm.messages.requests import MessagesRequest
from megallm.operations.ports import PreparedCall
from megallm.stores.limits import DynamoLimiter
from tests.fakes import KEY, ScriptedProvider, gateway, text_reply
from tests.limits.memory_table import MemoryTable, turn
from tests.limits.simulated_time import SimulatedTime, simulated

BURST = 100


class SlowProvider(ScriptedProvider):
    """Takes its time before it answers."""

    def __init__(self, seconds: float) -> None:
        super().__init__(text_reply("Hello", usage=Usage(input_tokens=20, output_tokens=5)))
        self._seconds = seconds

    async def prepare(self, call: Call[MessagesRequest]) -> PreparedCall:
        await asyncio.sleep(self._seconds)
        return await super().prepare(call)


class Processes:
    """An ASGI app whose requests go to one process after the other, each with a limiter of its own over one table."""

    def __init__(self, count: int, *, seconds: float, time: SimulatedTime) -> None:
        table = MemoryTable(before=turn, after=turn)
        limiters = (DynamoLimiter(table, load(), clock=time) for _ in range(count))
        self._apps = cycle([create_app(gateway(SlowProvider(seconds), limiter=limiter)) for limiter in limiters])

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await next(self._apps)(scope, receive, send)


def outcomes(processes: int, *, seconds: float) -> Counter[str]:
    """How the requests of a burst end, each with the SDK's two retries."""
    time = SimulatedTime()

    async def burst() -> Counter[str]:
        transport = httpx2.ASGITransport(Processes(processes, seconds=seconds, time=time))
        http = httpx2.AsyncClient(transport=transport)
        async with anthropic.AsyncAnthropic(api_key=KEY, base_url="http://gateway", http_client=http) as client:

            async def ask() -> str:
                try:
                    message = await client.messages.create(
                        model="claude-test", max_tokens=10, messages=[{"role": "user", "content": "Hi"}]
                    )
                except anthropic.RateLimitError:
                    return "refused"
                return message.type

            return Counter(await asyncio.gather(*(ask() for _ in range(BURST))))

    return simulated(burst(), time)


@pytest.mark.parametrize("seconds", [0.5, 6.0])
@pytest.mark.parametrize("processes", [1, 5, 20])
def test_a_burst_of_twice_the_limit_is_served_by_the_sdks_own_retries(processes: int, seconds: float) -> None:
    """At least 95 of 100 on a Basic key, however long the calls take and however many processes serve them."""
    served = outcomes(processes, seconds=seconds)

    assert served["message"] >= 95
    assert served.total() == BURST


def test_a_burst_without_retries_gets_its_slots_and_no_more() -> None:
    """Ten at a time on a Basic key: so it is the waits that serve the others."""
    time = SimulatedTime()

    async def burst() -> int:
        transport = httpx2.ASGITransport(Processes(5, seconds=1.0, time=time))
        async with httpx2.AsyncClient(transport=transport, base_url="http://gateway") as http:
            body = {"model": "claude-test", "max_tokens": 10, "messages": [{"role": "user", "content": "Hi"}]}
            headers = {"x-api-key": KEY}
            answers = await asyncio.gather(*(http.post("/v1/messages", json=body, headers=headers) for _ in range(20)))
            assert {answer.status_code for answer in answers} == {200, 429}
            assert all("anthropic-ratelimit-requests-remaining" in answer.headers for answer in answers)
            return sum(answer.status_code == 200 for answer in answers)

    assert simulated(burst(), time) == 10

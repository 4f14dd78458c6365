"""A call that was let in and then failed: its answer tells the key's own rates, like any other (C35), whole app."""

import asyncio

import httpx
import pytest

from functions.api.app import create_app
from megallm.errors import GatewayError, InvalidRequest, RateLimited, UpstreamOverloaded
from megallm.limits.tiers import load
from megallm.stores.limits import DynamoLimiter
from tests.fakes import KEY, ScriptedProvider, gateway
from tests.limits.memory_table import MemoryTable
from tests.limits.simulated_time import SimulatedTime

BODY = {"model": "claude-test", "max_tokens": 10, "messages": [{"role": "user", "content": "Hi"}]}


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize(
    ("failure", "status", "retry_after"),
    [
        (RateLimited("The upstream is busy", headers={"retry-after": "7"}), 429, "7"),
        (UpstreamOverloaded("The upstream is full"), 529, None),
        (InvalidRequest("Too long for this model"), 400, None),
    ],
)
def test_an_upstreams_refusal_has_the_rate_headers_of_the_key(
    failure: GatewayError, status: int, retry_after: str | None, stream: bool
) -> None:
    """What was reserved is given back by then; when to come back is the upstream's word."""
    limiter = DynamoLimiter(MemoryTable(), load(), clock=SimulatedTime())

    async def ask() -> httpx.Response:
        transport = httpx.ASGITransport(create_app(gateway(ScriptedProvider([failure]), limiter=limiter)))
        async with httpx.AsyncClient(transport=transport, base_url="http://gateway") as client:
            return await client.post("/v1/messages", json={**BODY, "stream": stream}, headers={"x-api-key": KEY})

    answer = asyncio.run(ask())

    rates = {name: value for name, value in answer.headers.items() if name.startswith("anthropic-ratelimit-")}
    assert (answer.status_code, answer.headers.get("retry-after")) == (status, retry_after)
    assert {name: value for name, value in rates.items() if not name.endswith("-reset")} == {
        "anthropic-ratelimit-requests-limit": "50",
        "anthropic-ratelimit-requests-remaining": "49",
        "anthropic-ratelimit-tokens-limit": "100000",
        "anthropic-ratelimit-tokens-remaining": "100000",
        "anthropic-ratelimit-input-tokens-limit": "100000",
        "anthropic-ratelimit-input-tokens-remaining": "100000",
        "anthropic-ratelimit-output-tokens-limit": "100000",
        "anthropic-ratelimit-output-tokens-remaining": "100000",
    }
    assert len(rates) == 12

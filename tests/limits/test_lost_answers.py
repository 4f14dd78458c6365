"""Each call's answer is lost once after the call was applied: what is tried again counts once (C36)."""

import asyncio
from collections.abc import Iterator

import pytest

from megallm.errors import RateLimited
from megallm.keys import Caller
from megallm.limits.ledger import Used, month_at
from megallm.limits.state import MINUTE, SECOND, Renew, State
from megallm.local.isolation import local_target
from megallm.messages.events import Usage
from megallm.stores.ledger import DynamoLedger
from megallm.stores.limits_table import Conflict, DynamoTable
from megallm.stores.limits_wire import from_wire
from tests.limits.engines import ENGINES
from tests.limits.over import TABLE, dynamo_http, limiter_over
from tests.limits.proxy import Proxy, once
from tests.limits.simulated_time import BEGIN

pytestmark = pytest.mark.slow

PATIENCE_SECONDS = 60.0
NOW = BEGIN * SECOND
USED = Used(requests=1, input_tokens=4000, nanodollars=5)
REQUEST, TOKEN = MINUTE // 50, MINUTE // 100_000


@pytest.fixture(scope="module", params=ENGINES)
def engine(request: pytest.FixtureRequest) -> Iterator[str]:
    """Each engine in turn; dynalite also gives no item with a failed condition."""
    with ENGINES[request.param]() as url:
        yield url


async def state_of(url: str, caller: Caller) -> State:
    http = dynamo_http(url)
    request = {"TableName": TABLE, "Key": {"id": {"S": caller.key_id}}, "ConsistentRead": True}
    answer = await http.call("GetItem", request)
    await http.aclose()
    return from_wire(answer.get("Item"))


def ledger_of(url: str, caller: Caller) -> Used:
    return DynamoLedger(local_target(url).dynamodb(), TABLE).of_month(month_at(BEGIN))[caller.key_id]


@pytest.mark.parametrize("kind", ["create", "admit", "settle", "renew", "queue"])
def test_a_call_whose_answer_was_lost_counts_once(engine: str, kind: str) -> None:
    """Two requests, of which the second overflows: the same whichever answer is lost."""
    caller = Caller(f"lost-{kind}", "basic")

    async def work(url: str) -> list[str]:
        http = dynamo_http(url)
        limiter = limiter_over(http, lambda: NOW, renew_seconds=0.3)
        first = await limiter.admit(caller, 1000)
        others = [await limiter.admit(caller, 1000) for _ in range(9)]
        with pytest.raises(RateLimited):
            await limiter.admit(caller, 1000)
        if kind == "renew":
            async with asyncio.timeout(PATIENCE_SECONDS):
                while proxy.kinds().count(kind) <= 10:  # noqa: ASYNC110  another thread counts
                    await asyncio.sleep(0.05)
        pending = first.settle(Usage(input_tokens=4000), USED)
        assert pending is not None
        await pending
        state = await state_of(engine, caller)
        assert ledger_of(engine, caller) == USED
        for other in others:
            other._timer.cancel()
        await http.aclose()
        assert (state.requests, state.tokens, len(state.leases)) == (
            NOW + 10 * REQUEST,
            NOW + (9 * 1000 + 4000) * TOKEN,
            9,
        )
        return [call for call in proxy.kinds() if call == kind]

    with Proxy(engine, once(kind, "lose the answer")).running() as proxy:
        sent = asyncio.run(work(proxy.url))

    assert len(sent) > {"create": 1, "admit": 10, "settle": 1, "renew": 10, "queue": 0}[kind]


def test_a_charge_whose_answer_was_lost_is_not_sent_again(engine: str) -> None:
    """Nothing would tell the second one from the first: it may count once, never twice."""
    caller = Caller("lost-charge", "basic")

    async def work(url: str) -> int:
        http, now = dynamo_http(url), NOW
        limiter = limiter_over(http, lambda: now, renew_seconds=3600)
        late = await limiter.admit(caller, 1000)
        now += 61 * SECOND
        other = await limiter.admit(caller, 1000)
        pending = late.settle(Usage(input_tokens=3000), USED)
        assert pending is not None
        await pending
        other._timer.cancel()
        await http.aclose()
        return (await state_of(engine, caller)).tokens

    with Proxy(engine, once("charge", "lose the answer")).running() as proxy:
        tokens = asyncio.run(work(proxy.url))

    assert (tokens, proxy.kinds().count("charge")) == (NOW + 61 * SECOND + 3000 * TOKEN, 1)
    assert ledger_of(engine, caller) == USED


def test_an_engine_that_shows_no_item_is_read(engine: str) -> None:
    """The conflict has the truth, however it was learned."""
    caller = Caller("conflict", "basic")

    async def work() -> None:
        http = dynamo_http(engine)
        limiter = limiter_over(http, lambda: NOW)
        admission = await limiter.admit(caller, 1000)
        table = DynamoTable(lambda: http, TABLE)
        with pytest.raises(Conflict) as caught:
            await table.update(caller.key_id, Renew("another", 1))
        assert caught.value.state == await state_of(engine, caller)
        admission._timer.cancel()
        await http.aclose()

    asyncio.run(work())

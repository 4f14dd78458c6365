"""What goes to an upstream: the operator's key and nothing of the caller's; and many calls at once do not mix."""

from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import get_args

import httpx
import pytest

from tests.contract.upstreams.asking import GOOD, QUESTION, Failed, Mode, Whole, ask, ask_beside_others, failed
from tests.contract.upstreams.dialect import Dialect
from tests.contract.upstreams.dialects import DIALECTS, good
from tests.contract.upstreams.faults import BREAKS, FAILED, REFUSALS
from tests.contract.upstreams.http_bytes import chunked, whole
from tests.contract.upstreams.listener import Listener, Received, Script
from tests.contract.upstreams.staging import AWS_ENVIRON, UPSTREAM_KEY, Stage, model_for
from tests.fakes import KEY


def test_the_upstream_gets_the_operators_key_alone(
    upstream: Listener, gateway: Stage, dialect: Dialect, mode: Mode
) -> None:
    """The caller's key opens the gateway and nothing else; its other headers stay here, too."""
    upstream.play(lambda received: good(dialect, received))
    headers = {"x-api-key": KEY, "authorization": f"Bearer {KEY}", "cookie": "a=b", "x-secret": "of the caller"}
    body = {**QUESTION, "model": model_for(dialect), "stream": mode == "stream"}

    response = httpx.post(f"{gateway.server.url}/v1/messages", headers=headers, json=body, timeout=60)

    sent = upstream.exchanges[-1].received
    assert response.status_code == 200
    assert KEY not in f"{sent}"
    assert {"cookie", "x-secret"} & sent.headers.keys() == set()
    assert _opened_by(sent.headers) == _expected_opening(dialect)


def _opened_by(headers: Mapping[str, str]) -> dict[str, str]:
    names = ("authorization", "x-api-key", "x-amz-security-token")
    return {name: headers[name].partition(" Credential")[0] for name in names if name in headers}


def _expected_opening(dialect: Dialect) -> dict[str, str]:
    match dialect.name:
        case "chat":
            return {"authorization": f"Bearer {UPSTREAM_KEY}"}
        case "messages":
            return {"x-api-key": UPSTREAM_KEY}
        case _:
            return {"authorization": "AWS4-HMAC-SHA256", "x-amz-security-token": AWS_ENVIRON["AWS_SESSION_TOKEN"]}


def whole_in_any_case(dialect: Dialect, received: Received) -> Script:
    return whole(200, dialect.body())


def streamed_in_any_case(dialect: Dialect, received: Received) -> Script:
    return chunked(dialect.frames(), dialect.stream_type)


def called_plain_text(dialect: Dialect, received: Received) -> Script:
    return chunked(dialect.frames() if dialect.wants_stream(received) else [dialect.body()], "text/plain")


@pytest.mark.parametrize("script", [whole_in_any_case, streamed_in_any_case, called_plain_text])
def test_a_reply_of_another_kind_is_whole_or_an_error(
    upstream: Listener, gateway: Stage, dialect: Dialect, mode: Mode, script: Callable[[Dialect, Received], Script]
) -> None:
    """Servers that know no streams answer whole, others know nothing else, or misname it: never half of either."""
    upstream.play(lambda received: script(dialect, received))

    assert ask(gateway, model_for(dialect), mode) in (GOOD, failed(FAILED))


STORM = 96


def test_many_calls_at_once_do_not_mix(upstream: Listener, gateway: Stage) -> None:
    """Good replies, refusals and broken streams side by side, through the same connections: to each its own."""
    faults = [None, *REFUSALS, *BREAKS, None]

    def number(received: Received) -> int:
        return int(received.body.partition(b"number ")[2].partition(b".")[0])

    def answer(received: Received) -> Script:
        dialect, fault = DIALECTS[number(received) % len(DIALECTS)], faults[number(received) // 8 % len(faults)]
        upstream.gate.release()
        return good(dialect, received) if fault is None else fault.script(dialect, received)

    def call(at: int) -> Whole | Failed:
        mode = get_args(Mode)[at // len(DIALECTS) % 2]
        return ask_beside_others(gateway, model_for(DIALECTS[at % len(DIALECTS)]), mode, text=f"number {at}.")

    def expected(at: int) -> tuple[Whole | Failed, ...]:
        fault = faults[at // 8 % len(faults)]
        if fault is None:
            return (GOOD,)
        return failed(fault.outcome), failed(fault.outcome, begun=True)

    upstream.play(answer)
    with ThreadPoolExecutor(16) as pool:
        outcomes = list(pool.map(call, range(STORM)))

    assert [(at, outcome) for at, outcome in enumerate(outcomes) if outcome not in expected(at)] == []
    gateway.limiter.wait_until_empty()

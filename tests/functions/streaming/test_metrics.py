"""What the log has of a function's metrics, under AWS's runtime and under ours: bare lines that CloudWatch can read."""

import json
import sys
from pathlib import Path

import pytest

from tests.contract.upstreams.asking import QUESTION
from tests.contract.upstreams.chat import Chat
from tests.contract.upstreams.dialects import good
from tests.contract.upstreams.listener import Listener
from tests.contract.upstreams.staging import model_for
from tests.functions.api.gateway_events import event
from tests.functions.streaming.conftest import Surroundings
from tests.functions.streaming.running import Lambda, wrapped
from tests.telemetry.extraction import metrics_in

pytestmark = pytest.mark.slow

CHAT = Chat()


@pytest.mark.parametrize(
    "command",
    [wrapped(), [sys.executable, "-m", "awslambdaric", "functions.api.handler.handler"]],
    ids=["ours", "managed"],
)
def test_a_streams_metrics_are_in_a_line_without_anything_around_it(
    upstream: Listener, surroundings: Surroundings, command: list[str | Path]
) -> None:
    """Written by a function's own process, whose environment names the stack."""
    upstream.play(lambda received: good(CHAT, received))
    body = json.dumps({**QUESTION, "model": model_for(CHAT), "stream": True}).encode()

    with Lambda(command, {**surroundings.environ, "MEGALLM_METRICS_STACK": "megallm"}) as started:
        sent = event("rest_v1", body=body, headers={"x-api-key": surroundings.key})
        exchange = started.call(lambda: started.api.invoke(sent))
        started.wait(exchange.end())
        exchange = started.call(lambda: started.api.invoke(event("rest_v1", "GET", "/health")))
        started.wait(exchange.end())
        written = started.output

    told = {(datum.metric.name, datum.metric.by()) for datum in metrics_in(written)}
    every = ("Model", "Source", "Stack", "Tier")
    assert told == {
        (name, by)
        for name in ("Requests", "InputTokens", "OutputTokens", "TimeToFirstToken")
        for by in (("Source", "Stack"), every)
    }

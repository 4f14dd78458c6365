"""AWS's own runtime for Python, which runs what does not stream: `awslambdaric` over the handler, as a process."""

import json
import sys
from collections.abc import Iterator

import pytest

from tests.contract.upstreams.asking import QUESTION
from tests.contract.upstreams.chat import Chat
from tests.contract.upstreams.dialect import CONTENT
from tests.contract.upstreams.dialects import good
from tests.contract.upstreams.listener import Listener
from tests.contract.upstreams.staging import model_for
from tests.functions.api.gateway_events import KINDS, Kind, body_of, event
from tests.functions.streaming.conftest import Surroundings
from tests.functions.streaming.running import Lambda
from tests.functions.streaming.runtime_api import INVOCATION
from tests.functions.streaming.test_strange_events import PING
from tests.functions.streaming.wire import Json

pytestmark = pytest.mark.slow

COMMAND = [sys.executable, "-m", "awslambdaric", "functions.api.handler.handler"]
CHAT = Chat()


@pytest.fixture(scope="module")
def managed(surroundings: Surroundings) -> Iterator[Lambda]:
    """The same function without our wrapper."""
    with Lambda(COMMAND, surroundings.environ) as started:
        yield started


def answer(managed: Lambda, happening: Json) -> Json:
    """What it answers to an event."""
    exchange = managed.call(lambda: managed.api.invoke(happening))
    managed.wait(exchange.end())
    assert exchange.post is not None
    assert exchange.post.line == f"POST {INVOCATION}/{exchange.request_id}/response HTTP/1.1"
    return json.loads(exchange.post.body)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("stream", [False, True], ids=["plain", "stream"])
def test_a_message_is_answered_in_one_piece(
    managed: Lambda, upstream: Listener, surroundings: Surroundings, kind: Kind, *, stream: bool
) -> None:
    """DESIGN: with ``streaming=off`` the whole reply comes at once, a stream's events too."""
    upstream.play(lambda received: good(CHAT, received))
    body = json.dumps({**QUESTION, "model": model_for(CHAT), "stream": stream}).encode()

    told = answer(managed, event(kind, body=body, headers={"x-api-key": surroundings.key}))

    assert told["statusCode"] == 200
    if stream:
        assert body_of(told).endswith(b'event: message_stop\ndata: {"type":"message_stop"}\n\n')
    else:
        assert json.loads(body_of(told))["content"] == CONTENT


def test_it_goes_on_after_an_event_that_it_does_not_know(managed: Lambda) -> None:
    """A schedule's ping is refused in the documented shape; then health is asked for and told."""
    told = [answer(managed, sent)["statusCode"] for sent in (PING, event("rest_v1", "GET", "/health"))]

    assert told == [400, 200]


def test_broken_settings_are_an_init_error(surroundings: Surroundings) -> None:
    """As under our runtime: the variable is named."""
    with Lambda(COMMAND, {**surroundings.environ, "MEGALLM_STRICT": "perhaps"}) as started:
        status = started.end()
        ((post, _),) = started.api.reports

    assert status == 1
    assert post.headers["lambda-runtime-function-error-type"] == "BrokenSettings"
    assert "MEGALLM_STRICT" in json.loads(post.body)["errorMessage"]

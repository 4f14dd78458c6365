"""The real function as a process of its own: recorded events of each kind, and every byte of what it makes of them."""

import json
import signal

import pytest

from tests.contract.upstreams.asking import QUESTION
from tests.contract.upstreams.chat import Chat
from tests.contract.upstreams.dialect import CONTENT
from tests.contract.upstreams.dialects import good
from tests.contract.upstreams.http_bytes import chunk, opened
from tests.contract.upstreams.listener import Listener, Stall
from tests.contract.upstreams.staging import model_for
from tests.functions.api.gateway_events import Kind, event
from tests.functions.streaming.conftest import Surroundings
from tests.functions.streaming.running import Lambda, wrapped
from tests.functions.streaming.runtime_api import Exchange
from tests.functions.streaming.test_strange_events import PING, UNKNOWN
from tests.functions.streaming.test_wire import head, prelude
from tests.functions.streaming.wire import Json

pytestmark = pytest.mark.slow

CHAT = Chat()


def function_url(happening: Json) -> Json:
    """An event of an HTTP API as a function URL has it: the same format, another host and stage."""
    domain = "abcdefghijklmnopqrstuvwxyz012345.lambda-url.eu-central-1.on.aws"
    context = {**happening["requestContext"], "domainName": domain, "routeKey": "$default", "stage": "$default"}
    return {**happening, "routeKey": "$default", "requestContext": context}


@pytest.fixture(params=["REST API", "HTTP API", "function URL"])
def source(request: pytest.FixtureRequest) -> str:
    """Where an event comes from."""
    return str(request.param)


def event_of(source: str, method: str, path: str, **options: Json) -> Json:
    """A request as it comes from there."""
    kind: Kind = "rest_v1" if source == "REST API" else "http_v2"
    happening = event(kind, method, path, **options)
    return function_url(happening) if source == "function URL" else happening


def ask(source: str, key: str, *, stream: bool = True, in_base64: bool = False) -> Json:
    """A question to the model."""
    body = json.dumps({**QUESTION, "model": model_for(CHAT), "stream": stream}).encode()
    return event_of(source, "POST", "/v1/messages", body=body, headers={"x-api-key": key}, in_base64=in_base64)


def answered(streaming: Lambda, happening: Json, **options: Json) -> Exchange:
    """The invocation, when it is over."""
    exchange = streaming.call(lambda: streaming.api.invoke(happening, **options))
    streaming.wait(exchange.end())
    return exchange


def test_a_small_answer_byte_for_byte(streaming: Lambda, source: str) -> None:
    """Its request id is all that is not known before."""
    exchange = answered(streaming, event_of(source, "GET", "/health"), request_id=f"health-{source[:1]}")

    sent = exchange.answer.prelude
    body = exchange.answer.payload
    told = {
        "statusCode": 200,
        "headers": {
            "content-length": str(len(body)),
            "content-type": "application/json",
            "request-id": sent["headers"]["request-id"],
        },
    }
    told |= {"multiValueHeaders": {}} if source == "REST API" else {}
    assert json.loads(body)["status"] == "ok"
    assert exchange.raw == (
        head(streaming.api.address).replace(b"8476a536-e9f4-11e8-9739-2dfe598c3fcd", exchange.request_id.encode())
        + prelude(json.dumps(told, separators=(",", ":")))
        + b"%x\r\n%b\r\n0\r\n\r\n" % (len(body), body)
    )


@pytest.mark.parametrize("in_base64", [False, True], ids=["text", "base64"])
def test_a_stream_is_whole(
    streaming: Lambda, upstream: Listener, surroundings: Surroundings, source: str, *, in_base64: bool
) -> None:
    """A prelude, the events, an end and nothing else; the call is settled when the invocation is over."""
    upstream.play(lambda received: good(CHAT, received))

    exchange = answered(streaming, ask(source, surroundings.key, in_base64=in_base64))

    assert exchange.post is not None
    framed = b"".join(b"%x\r\n%b\r\n" % (len(each), each) for each in exchange.post.chunks)
    assert exchange.raw.partition(b"\r\n\r\n")[2] == framed + b"0\r\n\r\n"
    assert exchange.answer.status == 200
    assert exchange.answer.prelude["headers"]["content-type"] == "text/event-stream; charset=utf-8"
    frames = [each.split("\n") for each in exchange.answer.payload.decode().removesuffix("\n\n").split("\n\n")]
    events = [json.loads(data.removeprefix("data: ")) for _, data in frames]
    assert [f"event: {each['type']}" for each in events] == [name for name, _ in frames]
    assert (events[0]["type"], events[-1]["type"]) == ("message_start", "message_stop")
    assert surroundings.leases == 0


def test_a_plain_message_is_whole(
    streaming: Lambda, upstream: Listener, surroundings: Surroundings, source: str
) -> None:
    """In one chunk behind the prelude's."""
    upstream.play(lambda received: good(CHAT, received))

    exchange = answered(streaming, ask(source, surroundings.key, stream=False))

    assert exchange.post is not None
    assert (len(exchange.post.chunks), exchange.answer.status) == (2, 200)
    assert exchange.answer.json["content"] == CONTENT


def test_an_event_that_it_does_not_know_is_survived(streaming: Lambda) -> None:
    """A schedule's ping, and what is no JSON, are errors of their invocations; the next request is answered."""
    errors = [answered(streaming, sent).error["errorType"] for sent in (PING, b"no JSON")]

    assert errors == [UNKNOWN["errorType"], "Runtime.UnmarshalError"]
    assert answered(streaming, event("rest_v1", "GET", "/health")).answer.status == 200


def test_a_call_ends_before_the_function_does(
    streaming: Lambda, upstream: Listener, surroundings: Surroundings
) -> None:
    """The invocation's deadline reaches the app: a second before it the caller is told, and the slot is free."""
    upstream.play(lambda _: [Stall()])

    exchange = answered(streaming, ask("REST API", surroundings.key, stream=False), seconds=6.0)

    assert (exchange.answer.status, exchange.answer.json["error"]["type"]) == (504, "timeout_error")
    assert surroundings.leases == 0


def test_sigterm_in_a_stream_ends_it_with_an_error_event(upstream: Listener, surroundings: Surroundings) -> None:
    """C28: the reply does not look whole, its slot is free, and the process ends in order."""
    first, word, *_ = CHAT.frames()
    upstream.play(lambda _: [opened(CHAT.stream_type), chunk(first), chunk(word), Stall()])

    with Lambda(wrapped(), surroundings.environ) as started:
        exchange = started.call(lambda: started.api.invoke(ask("REST API", surroundings.key)))
        started.wait(exchange.came(b"Hello"))
        status = started.end(signal.SIGTERM)
        started.wait(exchange.end())
        errors = started.errors

    assert (status, errors) == (0, "")
    last = exchange.answer.payload.decode().removesuffix("\n\n").split("\n\n")[-1].split("\n")
    assert last[0] == "event: error"
    assert json.loads(last[1].removeprefix("data: "))["error"]["type"] == "overloaded_error"
    assert exchange.raw.endswith(b"\r\n0\r\n\r\n")
    upstream.exchanges[-1].wait_until_peer_left()
    assert surroundings.leases == 0

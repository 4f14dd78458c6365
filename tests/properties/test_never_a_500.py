"""No request breaks the gateway: whatever is asked of an upstream that works is answered, or refused as a 4xx (C08)."""

from collections.abc import Sequence
from typing import Any

import httpx
import pytest
from hypothesis import HealthCheck, example, given, settings
from pydantic_core import from_json, to_json

from functions.api.app import create_app
from megallm.composition import assemble
from megallm.limits.unlimited import Unlimited
from megallm.settings import Settings
from tests.fakes import KEY, KEY_RECORD, MemoryKeys
from tests.properties.replies import TEXT, reply
from tests.properties.strategies import BETAS, requests
from tests.properties.upstreams import KINDS, Bench

Json = Any  # a value of JSON

SOME = settings(deadline=None, max_examples=40, suppress_health_check=[HealthCheck.too_slow])


@pytest.fixture(scope="module")
def client(bench: Bench) -> httpx.AsyncClient:
    """Calls the app over the providers, whose upstreams answer."""
    bench.http.upstream = reply
    composed = assemble(Settings(), MemoryKeys(KEY_RECORD), bench.catalog, bench.providers, Unlimited())
    transport = httpx.ASGITransport(app=create_app(composed), raise_app_exceptions=False)
    return httpx.AsyncClient(transport=transport, base_url="http://gateway", headers={"x-api-key": KEY})


def post(
    bench: Bench, client: httpx.AsyncClient, path: str, payload: Json, betas: Sequence[str] = ()
) -> tuple[httpx.Response, Json]:
    """The response, and its JSON or, of a stream, the events."""
    headers = {"anthropic-beta": ",".join(betas), "content-type": "application/json"}
    response = bench.run(client.post(path, content=to_json(payload), headers=headers))
    if not response.headers["content-type"].startswith("text/event-stream"):
        return response, response.json()
    lines = (line.removeprefix("data: ") for line in response.text.splitlines() if line.startswith("data: "))
    return response, [from_json(line) for line in lines]


def trouble(response: httpx.Response, answer: Json) -> Json:
    """None for an answer that is whole, and for a refusal in the envelope; else what is wrong."""
    if response.status_code == 200:
        whole = answer[-1] == {"type": "message_stop"} if isinstance(answer, list) else answer["type"] == "message"
        return None if whole else answer
    envelope = answer["error"]["type"] == "invalid_request_error" and answer["request_id"].startswith("req_")
    return None if response.status_code == 400 and envelope else (response.status_code, answer)


@pytest.mark.parametrize("stream", [False, True], ids=["plain", "stream"])
@SOME
@given(payload=requests(), betas=BETAS)
@example(payload={"messages": [{"role": "user", "content": ""}], "max_tokens": 1, "model": "m"}, betas=())
def test_every_request_is_answered_or_refused(
    bench: Bench, client: httpx.AsyncClient, stream: bool, payload: Json, betas: Sequence[str]
) -> None:
    """Plain and streamed, by every kind of upstream."""
    found = {}
    for kind in KINDS:
        asked = {**payload, "model": kind, "stream": stream}
        found[kind] = trouble(*post(bench, client, "/v1/messages", asked, betas))

    assert {kind: answer for kind, answer in found.items() if answer is not None} == {}


@SOME
@given(payload=requests())
def test_the_stream_says_what_the_plain_reply_says(bench: Bench, client: httpx.AsyncClient, payload: Json) -> None:
    """C31: refused alike, or answered with the same text and the same end."""
    for kind in KINDS:
        plain, message = post(bench, client, "/v1/messages", {**payload, "model": kind})
        streamed, events = post(bench, client, "/v1/messages", {**payload, "model": kind, "stream": True})

        assert (kind, streamed.status_code) == (kind, plain.status_code)
        assert streamed.headers.get("megallm-adapted") == plain.headers.get("megallm-adapted")
        if plain.status_code == 200:
            assert folded(events) == (texts(message), message["stop_reason"], message["stop_sequence"])
        else:
            assert events["error"] == message["error"]


@SOME
@given(payload=requests())
def test_every_request_is_counted_or_refused(bench: Bench, client: httpx.AsyncClient, payload: Json) -> None:
    """C40: some number of tokens, for whatever can be asked."""
    found = {}
    for kind in KINDS:
        question = {name: value for name, value in payload.items() if name != "max_tokens"}
        response, answer = post(bench, client, "/v1/messages/count_tokens", {**question, "model": kind})
        counted = response.status_code == 200 and isinstance(answer["input_tokens"], int)
        found[kind] = None if counted else trouble(response, answer)

    assert {kind: answer for kind, answer in found.items() if answer is not None} == {}


def texts(message: Json) -> str:
    return "".join(block["text"] for block in message["content"])


def folded(events: list[Json]) -> tuple[str, str, str | None]:
    text = "".join(event["delta"]["text"] for event in events if event["type"] == "content_block_delta")
    end = next(event["delta"] for event in events if event["type"] == "message_delta")
    return text, end["stop_reason"], end["stop_sequence"]


@pytest.mark.parametrize("kind", KINDS)
def test_a_plain_request_is_answered(bench: Bench, client: httpx.AsyncClient, kind: str) -> None:
    """The laws above would hold of a gateway that refuses everything."""
    payload = {"model": kind, "max_tokens": 10, "messages": [{"role": "user", "content": "Hello"}]}

    response, message = post(bench, client, "/v1/messages", payload)

    assert (response.status_code, texts(message)) == (200, TEXT)

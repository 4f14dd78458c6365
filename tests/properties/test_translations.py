"""Every request that the SDK's types allow is translated for every kind of upstream, or refused by name."""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from pydantic_core import from_json, to_json

from megallm.errors import InvalidRequest
from megallm.messages.calls import Call
from megallm.messages.requests import MessagesRequest, parse
from megallm.providers.embedded.wire import to_wire
from tests.properties.strategies import BETAS, requests
from tests.properties.upstreams import KINDS, Bench
from tests.requests_strategy import REQUESTS

Json = Any  # a value of JSON

SOME = settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.too_slow])


def refusals(bench: Bench, payload: Json, betas: Sequence[str]) -> Mapping[str, InvalidRequest]:
    """By the kinds of upstreams that refuse the request. Whatever else is raised fails the test."""
    body = to_json(payload)
    ways: dict[str, Callable[[], object]] = {kind: partial(bench.prepare, kind, body, betas) for kind in KINDS}
    ways["embedded"] = lambda: to_wire(Call(parse(body, MessagesRequest), "embedded", tuple(betas), body))
    found: dict[str, InvalidRequest] = {}
    for kind, way in ways.items():
        try:
            way()
        except InvalidRequest as refusal:
            found[kind] = refusal
    return found


def nameless(refused: Mapping[str, InvalidRequest]) -> Mapping[str, str]:
    return {kind: refusal.message for kind, refusal in refused.items() if refusal.param is None}


@SOME
@given(requests(), BETAS)
def test_a_request_of_the_sdk_translates_or_is_refused_by_name(
    bench: Bench, payload: Json, betas: Sequence[str]
) -> None:
    """C04: nothing else is raised, and a refusal says which field."""
    assert nameless(refusals(bench, payload, betas)) == {}


@SOME
@given(REQUESTS, BETAS)
@example({"model": "m", "max_tokens": 1, "messages": [{"role": "system", "content": ""}]}, ())
def test_a_request_that_makes_little_sense_does_so_too(bench: Bench, payload: Json, betas: Sequence[str]) -> None:
    """C08: what validates but is in no order that any upstream knows."""
    assert nameless(refusals(bench, payload, betas)) == {}


@pytest.mark.parametrize("kind", KINDS)
def test_a_plain_request_is_adapted_nowhere(bench: Bench, kind: str) -> None:
    """The laws above would hold of providers that refuse everything."""
    payload = {"model": kind, "max_tokens": 10, "messages": [{"role": "user", "content": "Hello"}]}

    assert bench.prepare(kind, to_json(payload)).adaptations == ()


@pytest.mark.parametrize("kind", [*KINDS, "embedded"])
def test_what_asks_for_nothing_is_neither_told_nor_refused(bench: Bench, kind: str) -> None:
    """Also of a field that is refused when it asks for something: some clients always send it."""
    nothing: Json = {"mcp_servers": [], "container": None, "context_management": {}, "cache_control": None}
    body = to_json({"model": kind, "max_tokens": 10, "messages": [{"role": "user", "content": "Hello"}], **nothing})

    if kind == "embedded":
        assert to_wire(Call(parse(body, MessagesRequest), kind, body=body)).adaptations == ()
        return
    sent, adaptations = bench.send(kind, body)

    assert adaptations == ()
    assert kind == "anthropic" or "mcp_servers" not in from_json(sent)

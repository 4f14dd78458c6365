"""A request's metrics are members of its one log line, by tier and model, and never by key."""

import io
import json
import time
from dataclasses import replace

import pytest

from megallm.catalog.file_format import parse
from megallm.errors import (
    CallerError,
    GatewayError,
    InternalError,
    RateLimited,
    UpstreamFailed,
    UpstreamMisconfigured,
    UpstreamOverloaded,
    UpstreamTimedOut,
)
from megallm.keys import Caller
from megallm.messages.events import Relayed, StreamEvent, Usage
from megallm.operations.deadline import RouteTimedOut
from megallm.operations.ports import Admission
from megallm.telemetry.causes import CAUSES, cause_of
from tests.fakes import KEY, ScriptedProvider, gateway, text_reply
from tests.telemetry.extraction import metrics_in, summed
from tests.telemetry.handled import CATALOG, ask, measured, message

CACHED = Usage(input_tokens=100, output_tokens=20, cache_read_input_tokens=1000, cache_creation_input_tokens=200)


def test_a_message_counts_its_tokens_and_its_price(lines: io.StringIO) -> None:
    """Input tokens are all of the prompt's, cached or not; each kind has the catalogue's price."""
    before = time.time() * 1000

    ask(measured(ScriptedProvider(text_reply("a", usage=CACHED))), message())

    dollars = (100 * 3.0 + 20 * 15.0 + 1000 * 0.3 + 200 * 3.75) / 1_000_000
    data = metrics_in(lines.getvalue())
    assert summed(data) == {
        (name, place): value
        for name, value in {"Requests": 1, "InputTokens": 1300, "OutputTokens": 20, "Cost": dollars}.items()
        for place in [("api",), ("claude-test", "api", "pro")]
    }
    assert {(datum.metric.name, datum.unit) for datum in data} == {
        ("Requests", "Count"),
        ("InputTokens", "Count"),
        ("OutputTokens", "Count"),
        ("Cost", "None"),
    }
    assert all(int(before) <= datum.at <= time.time() * 1000 for datum in data)
    assert {dict(datum.metric.dimensions)["Stack"] for datum in data} == {"megallm"}


def test_the_line_is_the_one_that_there_was_and_its_only_one(lines: io.StringIO) -> None:
    """One write a request; what reads the log finds what it found before."""
    ask(measured(), message(), key=KEY)
    with_metrics = json.loads(lines.getvalue())
    lines.truncate(lines.seek(0))
    ask(gateway(), message(), key=KEY)
    without = json.loads(lines.getvalue())

    added = {"_aws", "Stack", "Source", "Tier", "Model", "Requests", "InputTokens", "OutputTokens", "Cost"}
    assert set(with_metrics) - set(without) == added
    assert set(without) <= set(with_metrics)


def test_a_model_is_counted_by_its_id_however_it_was_called(lines: io.StringIO) -> None:
    """By an alias, and by a name that no model has: what callers make up becomes no metric of its own."""
    statuses = ask(measured(), message("claude-test-latest"), message("invented-1"), message("invented-2"))

    assert statuses == [200, 404, 404]
    assert summed(metrics_in(lines.getvalue()), "Requests") == {
        ("Requests", ("api",)): 3,
        ("Requests", ("claude-test", "api", "pro")): 1,
        ("Requests", ("none", "api", "pro")): 2,
    }


@pytest.mark.parametrize(
    ("model", "dimension"),
    [
        ("modèle-français", "mod%C3%A8le-fran%C3%A7ais"),
        ("vendor/model:7b @ 100%", "vendor/model:7b @ 100%25"),
        ("a\u00a0b", "a%C2%A0b"),
        ("模" * 256, ("%E6%A8%A1" * 256)[:1024]),
    ],
)
def test_every_id_of_a_model_is_a_dimension(lines: io.StringIO, model: str, dimension: str) -> None:
    """Printable ASCII, 1,024 letters at most: for any other value CloudWatch drops all metrics of the line."""
    composed = measured()
    catalog = parse(CATALOG.replace('id = "claude-test"', f'id = "{model}"'), source="tests")

    ask(replace(composed, catalog=catalog), message(model))

    assert ("Requests", (dimension, "api", "pro")) in summed(metrics_in(lines.getvalue()))


def test_what_has_no_price_has_no_cost(lines: io.StringIO) -> None:
    """Zero dollars would be a claim."""
    ask(measured(), message("claude-unpriced"))

    assert {name for name, _ in summed(metrics_in(lines.getvalue()))} == {"Requests", "InputTokens", "OutputTokens"}


@pytest.mark.parametrize("is_native", [False, True])
def test_a_stream_tells_when_its_first_token_was_there(lines: io.StringIO, is_native: bool) -> None:
    """From the request's arrival to the first piece of content; a ping before it is none."""
    start, block, delta, stop, *end = text_reply("a")
    script: list[StreamEvent] = [start, block, delta, stop, *end]
    if is_native:
        ping, piece = b"event: ping\ndata: {}\n\n", b"event: content_block_delta\ndata: {}\n\n"
        script = [start, Relayed(ping), Relayed(piece), *end]

    ask(measured(ScriptedProvider(script)), message(stream=True))

    found = [datum for datum in metrics_in(lines.getvalue()) if datum.metric.name == "TimeToFirstToken"]
    assert [(datum.metric.by(), datum.unit) for datum in found] == [
        (("Source", "Stack"), "Milliseconds"),
        (("Model", "Source", "Stack", "Tier"), "Milliseconds"),
    ]
    line = json.loads(lines.getvalue())
    assert {datum.value for datum in found} == {line["TimeToFirstToken"]}
    assert line["first_event_ms"] <= line["TimeToFirstToken"] <= line["duration_ms"]


class _Full:
    async def admit(self, caller: Caller, estimated_input_tokens: int) -> Admission:
        raise RateLimited("This key has used its minute up")

    async def aclose(self) -> None:
        """Nothing is open."""


def test_a_refusal_says_whose_limit_it_was(lines: io.StringIO) -> None:
    """The key's own, and the upstream's, which look the same to the caller."""
    limited = ScriptedProvider([RateLimited("The upstream's minute is used up")])

    statuses = [*ask(measured(limiter=_Full()), message()), *ask(measured(limited), message())]

    assert statuses == [429, 429]
    assert summed(metrics_in(lines.getvalue()), "Refusals") == {
        ("Refusals", ("api",)): 2,
        ("Refusals", ("claude-test", "api", "pro")): 2,
        ("Refusals", ("own_limit", "api")): 1,
        ("Refusals", ("upstream_limit", "api")): 1,
    }


def test_who_was_not_let_in_has_no_tier(lines: io.StringIO) -> None:
    """A wrong key, an unknown path, a body that is none."""
    composed = measured()
    statuses = [
        *ask(composed, message(), key="wrong"),
        *ask(composed, None, path="/nothing"),
        *ask(composed, {"model": "claude-test"}, key=KEY),
    ]

    assert statuses == [401, 404, 400]
    assert summed(metrics_in(lines.getvalue()), "Refusals") == {
        ("Refusals", ("api",)): 3,
        ("Refusals", ("none", "api", "none")): 2,
        ("Refusals", ("none", "api", "basic")): 1,
        ("Refusals", ("authentication", "api")): 1,
        ("Refusals", ("not_found", "api")): 1,
        ("Refusals", ("invalid_request", "api")): 1,
    }


def test_a_stream_that_breaks_is_a_refusal_too(lines: io.StringIO) -> None:
    """Its status was 200, and what it used until then is counted."""
    start, block, delta, *_ = text_reply("a")

    statuses = ask(measured(ScriptedProvider([start, block, delta, UpstreamOverloaded("full")])), message(stream=True))

    sums = summed(metrics_in(lines.getvalue()))
    assert statuses == [200]
    assert (sums["Refusals", ("upstream_overloaded", "api")], sums["OutputTokens", ("api",)]) == (1, 1)


def test_a_route_that_refuses_our_key_is_told_although_another_one_answers(lines: io.StringIO) -> None:
    """The caller notices nothing, and the operator has to."""
    composed = measured(ScriptedProvider([UpstreamMisconfigured("not set up")]), ScriptedProvider())

    statuses = ask(composed, message(), message(stream=True))
    statuses += ask(
        measured(ScriptedProvider(tokens=UpstreamMisconfigured("not set up")), ScriptedProvider()),
        message(),
        path="/v1/messages/count_tokens",
    )

    assert statuses == [200, 200, 200]
    assert summed(metrics_in(lines.getvalue()), "UpstreamMisconfigured", "Refusals") == {
        ("UpstreamMisconfigured", ()): 3
    }


def _kinds(kind: type[GatewayError]) -> list[type[GatewayError]]:
    return [kind, *(each for child in kind.__subclasses__() for each in _kinds(child))]


def test_every_error_has_a_cause() -> None:
    """From a closed list, whoever defined the error; a class of its own counts as what it is one of."""
    found = {cause_of(kind.__new__(kind), by_upstream=by) for kind in _kinds(GatewayError) for by in (False, True)}

    assert found == set(CAUSES)
    assert [cause_of(error, by_upstream=True) for error in (RouteTimedOut("x"), UpstreamFailed("x"))] == [
        "upstream_timed_out",
        "upstream_failed",
    ]
    assert cause_of(UpstreamTimedOut("x"), by_upstream=False) == "upstream_timed_out"
    assert (cause_of(CallerError("x"), by_upstream=False), cause_of(InternalError("x"), by_upstream=True)) == (
        "invalid_request",
        "internal",
    )


def test_no_metric_is_by_key(lines: io.StringIO) -> None:
    """Whoever has a thousand keys would pay for a thousand metrics."""
    ask(measured(), message(), message(stream=True))

    ids = ("professi", "abcdefgh")
    told = {value for datum in metrics_in(lines.getvalue()) for _, value in datum.metric.dimensions}
    assert told == {"megallm", "api", "pro", "claude-test"}
    assert not told & set(ids)

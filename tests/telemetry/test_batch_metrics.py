"""The metrics of batches: sums of a worker's calls by tier and model, and what the schedule finds stuck."""

import asyncio
import io
import json
import time
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest

from megallm.batches.model import OPERATOR, Batch
from megallm.composition.batches import Owners
from megallm.errors import GatewayError, InternalError, InvalidRequest, UpstreamMisconfigured
from megallm.keys import KeyRecord
from megallm.limits.tiers import load
from megallm.messages.calls import Call
from megallm.messages.events import Usage
from megallm.messages.requests import MessagesRequest
from megallm.operations.measure import WRITE_SECONDS, BatchMeter
from megallm.operations.sweep_batches import INDEXING_SECONDS, STUCK_SECONDS, is_stuck, sweep_batches
from megallm.operations.trace import Trace
from megallm.telemetry.embedded import EmbeddedMetrics
from megallm.telemetry.metrics import ALL_TIERS
from tests.batch_fakes import MemoryQueues, Process, World
from tests.fakes import KEY_RECORD, MemoryKeys, ScriptedProvider, Step, text_reply
from tests.telemetry.extraction import metrics_in, summed
from tests.telemetry.handled import measured
from tests.telemetry.worked import taken_in, tick, work_off


def events(lines: io.StringIO) -> list[str]:
    """What the lines are about."""
    return [json.loads(line)["event"] for line in lines.getvalue().splitlines()]


@pytest.mark.parametrize(("owner", "tier"), [(None, "operator"), (KEY_RECORD.id, "basic")])
def test_the_calls_of_a_part_are_one_line(
    lines: io.StringIO, loop: asyncio.AbstractEventLoop, owner: str | None, tier: str
) -> None:
    """And not a line each; told apart from requests, by the tier of whoever owns the batch."""
    work_off(measured(), ["a", "b", "c"], owner, loop)

    dollars = 3 * (7 * 3.0 + 3 * 15.0) / 1_000_000
    assert events(lines).count("batch_calls") == 1
    assert summed(metrics_in(lines.getvalue())) == {
        (name, place): value
        for name, value in {"Requests": 3, "InputTokens": 21, "OutputTokens": 9, "Cost": dollars}.items()
        for place in [("batch",), ("claude-test", "batch", tier)]
    }


def test_refused_calls_are_counted_by_their_cause(lines: io.StringIO, loop: asyncio.AbstractEventLoop) -> None:
    """A line a cause; what another route answers was not refused, and yet the operator is told of it."""

    def script(call: Call[MessagesRequest]) -> Sequence[Step]:
        text = call.request.messages[0].content
        refusals: dict[object, GatewayError] = {"long": InvalidRequest("too long"), "key": UpstreamMisconfigured("x")}
        return [refusals[text]] if text in refusals else text_reply("a")

    work_off(measured(ScriptedProvider(script), ScriptedProvider()), ["long", "key", "well"], None, loop)

    sums = summed(metrics_in(lines.getvalue()), "Requests", "Refusals", "UpstreamMisconfigured")
    assert sums == {
        ("Requests", ("batch",)): 3,
        ("Requests", ("claude-test", "batch", "operator")): 3,
        ("Refusals", ("batch",)): 1,
        ("Refusals", ("claude-test", "batch", "operator")): 1,
        ("Refusals", ("invalid_request", "batch")): 1,
        ("UpstreamMisconfigured", ()): 1,
    }


def test_a_log_that_nobody_takes_metrics_from_has_no_such_lines(
    lines: io.StringIO, loop: asyncio.AbstractEventLoop
) -> None:
    """Locally the log stays as it is, each minute's run of the schedule included."""
    composed = replace(measured(), metrics=None)

    work_off(composed, ["a"], None, loop)
    tick(composed)

    assert events(lines) == ["intake"]


def test_a_long_part_tells_of_its_calls_meanwhile(lines: io.StringIO) -> None:
    """Each time that half a minute is over; what is told is not told again."""
    now = 1000.0
    meter = BatchMeter(EmbeddedMetrics("megallm"), lambda: now)
    trace = Trace("req_1", usage=Usage(10, 5))

    meter.called("pro", trace)
    now += WRITE_SECONDS
    meter.called("pro", trace)
    now += 1
    meter.called("pro", trace)
    meter.write()
    meter.write()

    data = [datum for datum in metrics_in(lines.getvalue()) if datum.metric.by() == ("Source", "Stack")]
    assert [(datum.metric.name, datum.value, datum.at) for datum in data] == [
        ("Requests", 2, 1_030_000),
        ("InputTokens", 20, 1_030_000),
        ("OutputTokens", 10, 1_030_000),
        ("Requests", 1, 1_031_000),
        ("InputTokens", 10, 1_031_000),
        ("OutputTokens", 5, 1_031_000),
    ]


class _NoTable(MemoryKeys):
    def get(self, key_id: str) -> KeyRecord | None:
        raise InternalError("The table cannot be read")


def test_every_owner_has_a_tier_of_the_list() -> None:
    """One whose record is gone, or cannot be read now, has none: no work ends because of a metric."""
    keys = MemoryKeys(KEY_RECORD)

    found = [Owners(keys, load(), None).tier(owner) for owner in (OPERATOR, KEY_RECORD.id, "deleted0")]
    found.append(Owners(_NoTable(), load(), None).tier(KEY_RECORD.id))

    assert found == ["operator", "basic", "none", "none"]
    assert set(found) <= set(ALL_TIERS)


def stuck(lines: io.StringIO) -> list[float]:
    """What each run of the schedule found."""
    return [datum.value for datum in metrics_in(lines.getvalue()) if datum.metric.name == "StuckBatches"]


def test_each_run_of_the_schedule_tells_how_much_is_stuck(lines: io.StringIO) -> None:
    """Also where that is nothing: the alarm has to end. Parts that wait for a worker are not stuck."""
    world = World()

    tick(measured())
    taken_in(measured(), ["a"], None, world)
    tick(measured(), world)

    assert stuck(lines) == [0, 0]
    assert {datum.metric.dimensions for datum in metrics_in(lines.getvalue())} == {(("Stack", "megallm"),)}


@pytest.mark.parametrize(
    ("changes", "since", "seconds"),
    [
        ({"state": "indexing"}, "created_at", INDEXING_SECONDS),
        ({"state": "canceling", "stop": "canceled"}, "stop_requested_at", STUCK_SECONDS),
        ({"state": "ended"}, "ended_at", STUCK_SECONDS),
    ],
)
@pytest.mark.parametrize(("more_seconds", "expected"), [(-60, False), (60, True)])
def test_a_batch_that_should_be_further_is_stuck(
    changes: dict[str, Any], since: str, seconds: float, more_seconds: float, *, expected: bool
) -> None:
    """An intake that has died, a stop that nobody heeds, an end that is not told."""
    world = World()
    taken_in(measured(), ["a"], None, world)
    (batch,) = world.batches.values()
    now = time.time()

    changes = {**changes, since: now - seconds - more_seconds}
    found = is_stuck(replace(batch, **changes), now)

    assert found is expected


def test_a_stuck_batch_is_counted_and_named(lines: io.StringIO) -> None:
    """The metric tells that there is one, and the log which."""
    world = World()
    taken_in(measured(), ["a"], None, world)
    ((batch_id, batch),) = world.batches.items()
    since = time.time() - STUCK_SECONDS - 60
    world.batches[batch_id] = replace(batch, state="canceling", stop="canceled", stop_requested_at=since)

    tick(measured(), world)

    told = [json.loads(line) for line in lines.getvalue().splitlines()]
    assert stuck(lines) == [1]
    assert [line["batch_id"] for line in told if line["event"] == "stuck_batch"] == [batch_id]


class _NoQueue(MemoryQueues):
    def send_parts(self, batch: Batch, numbers: Sequence[int], delay_seconds: int = 0) -> None:
        raise InternalError("The queue failed")


def test_a_batch_at_which_the_schedule_fails_is_stuck(lines: io.StringIO) -> None:
    """It is told before the failure ends the run, and with it the function."""
    world = World()
    taken_in(measured(), ["a"], None, world)
    ((batch_id, parts),) = world.parts.items()
    world.parts[batch_id] = {1: replace(parts[1], queued_at=0.0)}
    ports = replace(world.ports(), queues=_NoQueue(world, Process()))

    with pytest.raises(InternalError):
        sweep_batches(ports, time.time(), metrics=EmbeddedMetrics("megallm"))

    assert stuck(lines) == [1]

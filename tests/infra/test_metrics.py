"""The charts and alarms ask for metrics that the handlers write: of the same name, with exactly the same dimensions."""

import asyncio
import io
import json
import re
from collections.abc import Iterator, Sequence
from typing import Any

import pytest

from infra import costs
from megallm.errors import InvalidRequest, UpstreamMisconfigured
from megallm.telemetry import metrics
from megallm.telemetry.metrics import METRICS, NAMESPACE
from tests.fakes import ScriptedProvider, Step
from tests.infra.synthesis import Template, resources, text_of
from tests.telemetry.extraction import Metric, metrics_in
from tests.telemetry.handled import ask, measured, message
from tests.telemetry.worked import tick, work_off

pytestmark = pytest.mark.slow

# As {MegaLLM,Stack,Source} MetricName="Requests" Stack="megallm".
_SEARCH = re.compile(r"""SEARCH\('\{(\w+),([\w,]+)\} MetricName="(\w+)" Stack="([\w-]+)"', '\w+', \d+\)""")

Asked = tuple[str, str, tuple[str, ...]]  # namespace, name, the names of the dimensions in the order of the alphabet


@pytest.fixture
def loop() -> Iterator[asyncio.AbstractEventLoop]:
    loop = asyncio.new_event_loop()
    yield loop
    loop.run_until_complete(loop.shutdown_default_executor())
    loop.close()


@pytest.fixture
def written(lines: io.StringIO, loop: asyncio.AbstractEventLoop) -> set[Metric]:
    """By the real handlers: calls that succeed, that stream and that are refused, of requests and of batches."""
    refused = measured(ScriptedProvider([InvalidRequest("no")]))
    broken: Sequence[Step] = [UpstreamMisconfigured("not set up")]
    ask(measured(), message(), message(stream=True))
    ask(refused, message())
    ask(measured(), None, key="sk-wrong", path="/v1/models")
    ask(measured(ScriptedProvider(broken)), message())
    work_off(measured(), ["a"], None, loop)
    work_off(refused, ["a"], None, loop)
    tick(measured())
    return {datum.metric for datum in metrics_in(lines.getvalue())}


def asked_by_alarms(template: Template) -> set[Metric]:
    """What the alarms watch of our own."""
    return {
        Metric(
            each["Namespace"],
            each["MetricName"],
            tuple(sorted((dimension["Name"], dimension["Value"]) for dimension in each["Dimensions"])),
        )
        for each in resources(template, "AWS::CloudWatch::Alarm").values()
        if each.get("Namespace") == NAMESPACE
    }


def charted(template: Template) -> tuple[set[Metric], set[Asked]]:
    """What the dashboard shows of our own: single metrics, and those that it searches for."""
    (dashboard,) = resources(template, "AWS::CloudWatch::Dashboard").values()
    single: set[Metric] = set()
    searched: set[Asked] = set()
    for widget in json.loads(text_of(dashboard["DashboardBody"]))["widgets"]:
        for line in widget["properties"]["metrics"]:
            if isinstance(line[0], dict):
                found = _SEARCH.fullmatch(line[0]["expression"])
                assert found is not None, line
                namespace, dimensions, name, stack = found.groups()
                assert stack == dashboard["DashboardName"]
                searched.add((namespace, name, tuple(sorted(dimensions.split(",")))))
            elif line[0] == NAMESPACE:
                single.add(_metric(line))
    return single, searched


def _metric(line: list[Any]) -> Metric:
    """["Namespace", "Name", "Dimension", "value", …, {its options}]."""
    texts = [part for part in line if isinstance(part, str)]
    return Metric(texts[0], texts[1], tuple(sorted(zip(texts[2::2], texts[3::2], strict=True))))


def test_whatever_is_asked_for_is_written(template: Template, written: set[Metric]) -> None:
    """Else a chart would be empty, and an alarm silent, for ever."""
    single, searched = charted(template)

    assert (asked_by_alarms(template) | single) - written == set()
    assert searched - {(metric.namespace, metric.name, metric.by()) for metric in written} == set()


def test_whatever_is_written_is_asked_for(template: Template, written: set[Metric]) -> None:
    """Each metric is on the page or behind an alarm, and the table of them is what the handlers write."""
    single, searched = charted(template)

    asked = {metric.name for metric in asked_by_alarms(template) | single} | {name for _, name, _ in searched}
    assert asked == {metric.name for metric in written} == set(METRICS)
    assert {(metric.name, metric.by()) for metric in written} == {
        (name, tuple(sorted(each))) for name, metric in METRICS.items() for each in metric.sets
    }


def test_another_stacks_charts_ask_for_its_own(chosen: Template) -> None:
    """Several of them can be in one account and region."""
    single, _ = charted(chosen)

    assert {dict(metric.dimensions)["Stack"] for metric in asked_by_alarms(chosen) | single} == {"other"}


def test_as_many_are_paid_for_as_are_written(written: set[Metric]) -> None:
    """The page of costs reckons so; here with one pair a source, a wrong key, and four causes, one of them of items."""
    in_use = {metrics.API: costs.InUse(1, 1, 3), metrics.BATCH: costs.InUse(1, 0, 1)}

    assert costs.own_metrics(in_use) == len(written)

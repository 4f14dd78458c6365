"""The tests' reading of the embedded metric format refuses what the specification does."""

import json
from collections.abc import Callable
from typing import Any

import jsonschema_rs
import pytest

from tests.telemetry.extraction import Datum, Metric, metrics_in

Json = dict[str, Any]


def line() -> Json:
    """The smallest with everything in it."""
    metric = {"Name": "Time", "Unit": "Milliseconds", "StorageResolution": 60}
    directive = {"Namespace": "Test", "Dimensions": [["Function"], []], "Metrics": [metric]}
    metadata = {"Timestamp": 1574109732004, "CloudWatchMetrics": [directive]}
    return {"_aws": metadata, "Function": "f", "Time": [1, 2.5], "requestId": "r"}


def test_each_value_is_one_of_each_dimension_set() -> None:
    """A set may be empty; what no directive names is no metric."""
    at = 1574109732004

    assert metrics_in(json.dumps(line())) == [
        Datum(Metric("Test", "Time", dimensions), "Milliseconds", value, at)
        for dimensions in ((("Function", "f"),), ())
        for value in (1, 2.5)
    ]


def _directive(root: Json) -> Json:
    directive: Json = root["_aws"]["CloudWatchMetrics"][0]
    return directive


BROKEN: dict[str, Callable[[Json], object]] = {
    "no timestamp": lambda root: root["_aws"].pop("Timestamp"),
    "a timestamp with a fraction": lambda root: root["_aws"].update(Timestamp=0.5),
    "something else in the metadata": lambda root: root["_aws"].update(More=1),
    "no dimensions": lambda root: _directive(root).update(Dimensions=[]),
    "31 dimensions": lambda root: _directive(root).update(Dimensions=[["Function"] * 31]),
    "101 metrics": lambda root: _directive(root).update(Metrics=[{"Name": "Time"}] * 101),
    "no such unit": lambda root: _directive(root)["Metrics"][0].update(Unit="Dollars"),
    "no value": lambda root: root.pop("Time"),
    "a text for a value": lambda root: root.update(Time="1"),
    "101 values": lambda root: root.update(Time=[1] * 101),
    "no dimension's value": lambda root: root.pop("Function"),
    "a number for a dimension": lambda root: root.update(Function=1),
    "an empty dimension": lambda root: root.update(Function=""),
}


@pytest.mark.parametrize("what", BROKEN)
def test_what_cloudwatch_would_drop_in_silence_fails(what: str) -> None:
    """There is nobody who tells of a metric that is never there."""
    root = line()
    BROKEN[what](root)

    with pytest.raises((AssertionError, KeyError, jsonschema_rs.ValidationError)):
        metrics_in(json.dumps(root))


def test_a_line_that_has_a_member_twice_fails() -> None:
    """A metric's name must be none of the line's other members."""
    with pytest.raises(AssertionError):
        metrics_in('{"status": 200, "status": 1}')

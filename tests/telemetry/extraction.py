"""CloudWatch's side of the embedded metric format: which metrics it takes from a line of a log.

Written after the specification, its limits included, as strict as it may be read:
https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format_Specification.html
"""

import json
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import jsonschema_rs

_NAME = {"type": "string", "minLength": 1, "maxLength": 255}
_SIZES = [
    *("Bytes", "Kilobytes", "Megabytes", "Gigabytes", "Terabytes"),
    *("Bits", "Kilobits", "Megabits", "Gigabits", "Terabits", "Count"),
]
_UNITS = ("Seconds", "Microseconds", "Milliseconds", "Percent", "None", *_SIZES, *(f"{size}/Second" for size in _SIZES))


def _strict(**members: Any) -> dict[str, Any]:
    """An object of these members and no other; those whose schema says so may be missing."""
    required = [name for name, schema in members.items() if not schema.get("optional")]
    properties = {
        name: {key: part for key, part in schema.items() if key != "optional"} for name, schema in members.items()
    }
    return {"type": "object", "required": required, "properties": properties, "additionalProperties": False}


_METRIC = _strict(
    Name=_NAME,
    Unit={"enum": list(_UNITS), "optional": True},
    StorageResolution={"enum": [1, 60], "optional": True},
)
_DIRECTIVE = _strict(
    Namespace=_NAME,
    Dimensions={"type": "array", "minItems": 1, "items": {"type": "array", "maxItems": 30, "items": _NAME}},
    Metrics={"type": "array", "maxItems": 100, "items": _METRIC},
)
_METADATA = _strict(Timestamp={"type": "integer"}, CloudWatchMetrics={"type": "array", "items": _DIRECTIVE})
SCHEMA = {"type": "object", "required": ["_aws"], "properties": {"_aws": _METADATA}}

_LINE_BYTES = 256 * 1024
_VALUES = 100
_DIMENSION_LETTERS = 1024

_validator = jsonschema_rs.validator_for(SCHEMA)


@dataclass(frozen=True, slots=True)
class Metric:
    """What is one metric for CloudWatch, and for its bill."""

    namespace: str
    name: str
    dimensions: tuple[tuple[str, str], ...]

    def by(self) -> tuple[str, ...]:
        """The names of its dimensions, in the order of the alphabet."""
        return tuple(name for name, _ in self.dimensions)


@dataclass(frozen=True, slots=True)
class Datum:
    """One value of a metric at a moment, in milliseconds since 1970."""

    metric: Metric
    unit: str
    value: float
    at: int


def metrics_in(log: str) -> list[Datum]:
    """Of all lines; each must be a JSON object, and may hold no metrics. Fails where CloudWatch would reject one."""
    return [datum for line in log.splitlines() for datum in _metrics_of(line)]


def summed(data: Iterable[Datum], *names: str) -> dict[tuple[str, tuple[str, ...]], float]:
    """The sums by metric and the values of its dimensions but the stack; of these metrics, or of all."""
    sums: dict[tuple[str, tuple[str, ...]], float] = {}
    for datum in data:
        if not names or datum.metric.name in names:
            key = (datum.metric.name, tuple(value for name, value in datum.metric.dimensions if name != "Stack"))
            sums[key] = round(sums.get(key, 0) + datum.value, 9)
    return sums


def _metrics_of(line: str) -> list[Datum]:
    root = json.loads(line, object_pairs_hook=_each_once)
    if "_aws" not in root:
        return []
    _validator.validate(root)
    assert len(line.encode()) <= _LINE_BYTES
    at = root["_aws"]["Timestamp"]
    return [
        Datum(Metric(directive["Namespace"], name, dimensions), metric.get("Unit", "None"), value, at)
        for directive in root["_aws"]["CloudWatchMetrics"]
        for dimensions in (_dimensions(root, each) for each in directive["Dimensions"])
        for metric in directive["Metrics"]
        for name in [metric["Name"]]
        for value in _values(root[name])
    ]


def _dimensions(root: dict[str, Any], names: list[str]) -> tuple[tuple[str, str], ...]:
    for name in names:
        value = root[name]
        assert isinstance(value, str), name
        assert 0 < len(value) <= _DIMENSION_LETTERS, name
        assert value.isascii(), name
        assert value.isprintable(), name
        assert value.strip(), name
    return tuple(sorted((name, root[name]) for name in names))


def _values(target: Any) -> list[float]:
    values: list[float] = target if isinstance(target, list) else [target]
    assert 0 < len(values) <= _VALUES
    assert not any(isinstance(value, bool) or not isinstance(value, int | float) for value in values)
    return values


def _each_once(members: list[tuple[str, Any]]) -> dict[str, Any]:
    """JSON's own readers take the last of two members of one name; what CloudWatch does is not said."""
    assert len({name for name, _ in members}) == len(members), members
    return dict(members)

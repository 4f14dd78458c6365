"""Metrics as members of a log line, in the format that CloudWatch reads them from.

https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format_Specification.html
"""

from collections.abc import Mapping
from string import punctuation
from urllib.parse import quote

from pydantic_core import to_json

from megallm.telemetry.metrics import METRICS, NAMESPACE, STACK

# Of a dimension's value. Everything else but letters and digits is percent-encoded, and so is the percent sign.
_AS_IT_IS = " " + punctuation.replace("%", "")
_MOST_LETTERS = 1024


class EmbeddedMetrics:
    """Writes the metrics of one stack. What is the same in many lines is made once, as the text that it is there."""

    def __init__(self, stack: str) -> None:
        self._stack = stack
        self._same: dict[tuple[tuple[str, ...], ...], str] = {}  # few: all of them are of closed lists

    def members(self, at: float, dimensions: Mapping[str, str], values: Mapping[str, float]) -> str:
        """The JSON text of a line's members that hold these metrics of that moment, in seconds since 1970.

        *dimensions* has a value for every dimension of theirs but the stack, and may have more.
        """
        key = (tuple(values), tuple(dimensions), tuple(dimensions.values()))
        same = self._same.get(key)
        if same is None:
            same = self._same[key] = self._same_of(tuple(values), dimensions)
        told = ",".join([f'"{name}":{value}' for name, value in values.items()])
        return f'"_aws":{{"Timestamp":{int(at * 1000)},{same},{told}'

    def _same_of(self, names: tuple[str, ...], dimensions: Mapping[str, str]) -> str:
        """From the directives on, of which metrics with the same dimension sets share one, up to the values."""
        by_sets: dict[tuple[tuple[str, ...], ...], list[dict[str, str]]] = {}
        for name in names:
            metric = METRICS[name]
            by_sets.setdefault(metric.sets, []).append({"Name": name, "Unit": metric.unit})
        directives = [
            {"Namespace": NAMESPACE, "Dimensions": sets, "Metrics": metrics} for sets, metrics in by_sets.items()
        ]
        text = to_json({"CloudWatchMetrics": directives}).decode()[1:]
        values = {name: _dimension_value(value) for name, value in dimensions.items()}
        return f"{text},{to_json({STACK: self._stack, **values}).decode()[1:-1]}"


def _dimension_value(text: str) -> str:
    """As CloudWatch takes it. One value that it does not take would cost the line all of its metrics."""
    return quote(text, safe=_AS_IT_IS)[:_MOST_LETTERS]

"""The handbook's metrics are those that there are."""

import re
from pathlib import Path

from megallm.telemetry.causes import CAUSES
from megallm.telemetry.metrics import BY_CAUSE, BY_MODEL, BY_SOURCE, COST, METRICS, WHOLE

_HANDBOOK = Path(__file__).resolve().parents[2] / "docs" / "operations.md"
_SETS = {BY_SOURCE: "source", BY_MODEL: "tier and model", BY_CAUSE: "cause", WHOLE: ""}


def test_the_handbook_has_each_metric_with_its_unit_and_dimensions() -> None:
    """CloudWatch has no unit for money, and people have one."""
    rows = re.findall(r"^\| `([A-Z]\w+)` \| ([\w ]+) \| .+ \| ?([\w; ]*?) ?\|$", _HANDBOOK.read_text(), re.MULTILINE)

    assert [tuple(row) for row in rows] == [
        (name, "US dollars" if name == COST else metric.unit, "; ".join(_SETS[each] for each in metric.sets))
        for name, metric in METRICS.items()
    ]


def test_the_handbook_has_each_cause() -> None:
    """In its list of them."""
    text = _HANDBOOK.read_text()
    listed = text[text.index("- the caller's:") : text.index("A metric is found only")]

    assert set(re.findall(r"`(\w+)`", listed)) == set(CAUSES)

"""The metrics: names, units and dimensions. Functions write them by this table, and the stack's charts and alarms ask.

A metric is found only with exactly the dimensions that it was written with, and each combination of their values is
paid for as one: so what they may be is a closed list each, and no key is among them.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from megallm.keys import TIERS

NAMESPACE = "MegaLLM"

# The dimensions, and what each may be. Models are those of the catalogue, by their ids, or NONE.
STACK, SOURCE, TIER, MODEL, CAUSE = "Stack", "Source", "Tier", "Model", "Cause"
Source = Literal["api", "batch"]
API: Source = "api"
BATCH: Source = "batch"
OPERATOR = "operator"  # the tier of batches that belong to no key
NONE = "none"  # no tier: nobody was let in; no model: none was asked for, or one that the catalogue does not have
ALL_TIERS = (*TIERS, OPERATOR, NONE)

Unit = Literal["Count", "Milliseconds", "None"]

REQUESTS = "Requests"
INPUT_TOKENS = "InputTokens"
OUTPUT_TOKENS = "OutputTokens"
COST = "Cost"
FIRST_TOKEN = "TimeToFirstToken"  # noqa: S105  no password: the metric's name
REFUSALS = "Refusals"
STUCK_BATCHES = "StuckBatches"
MISCONFIGURED = "UpstreamMisconfigured"


@dataclass(frozen=True, slots=True)
class Metric:
    """Written once with each of its dimension sets, of calls from these sources."""

    unit: Unit
    sets: tuple[tuple[str, ...], ...]
    sources: tuple[Source, ...] = (API, BATCH)


WHOLE = (STACK,)
BY_SOURCE = (STACK, SOURCE)
BY_MODEL = (STACK, SOURCE, TIER, MODEL)
BY_CAUSE = (STACK, SOURCE, CAUSE)

METRICS: Mapping[str, Metric] = {
    REQUESTS: Metric("Count", (BY_SOURCE, BY_MODEL)),
    INPUT_TOKENS: Metric("Count", (BY_SOURCE, BY_MODEL)),
    OUTPUT_TOKENS: Metric("Count", (BY_SOURCE, BY_MODEL)),
    COST: Metric("None", (BY_SOURCE, BY_MODEL)),  # US dollars: CloudWatch has no unit for money
    FIRST_TOKEN: Metric("Milliseconds", (BY_SOURCE, BY_MODEL), (API,)),
    REFUSALS: Metric("Count", (BY_SOURCE, BY_MODEL, BY_CAUSE)),
    STUCK_BATCHES: Metric("Count", (WHOLE,)),
    MISCONFIGURED: Metric("Count", (WHOLE,)),
}

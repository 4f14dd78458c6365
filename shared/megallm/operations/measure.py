"""What the metrics say of a request, of the calls of batches, and of a run of the schedule."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field

from megallm.operations.batch_cost import microdollars_of
from megallm.operations.trace import Trace
from megallm.telemetry import log
from megallm.telemetry.embedded import EmbeddedMetrics
from megallm.telemetry.metrics import (
    API,
    BATCH,
    CAUSE,
    COST,
    FIRST_TOKEN,
    INPUT_TOKENS,
    MISCONFIGURED,
    MODEL,
    NONE,
    OUTPUT_TOKENS,
    REFUSALS,
    REQUESTS,
    SOURCE,
    TIER,
)

# A worker writes what its calls used at the end of each part, and after so many seconds of one.
WRITE_SECONDS = 30.0
_DOLLAR_PLACES = 9


def request_members(metrics: EmbeddedMetrics, trace: Trace, began: float, now: float) -> str:
    """Of a request's log line. It began at that moment of ``time.perf_counter``; *now* is in seconds since 1970."""
    values: dict[str, float] = {REQUESTS: 1}
    _add_use(values, trace)
    if trace.first_token_at is not None:
        values[FIRST_TOKEN] = round((trace.first_token_at - began) * 1000, 2)
    dimensions = {SOURCE: API, TIER: trace.tier, MODEL: _model_of(trace)}
    if trace.cause is not None:
        values[REFUSALS] = 1
        dimensions[CAUSE] = trace.cause
    if trace.misconfigured:
        values[MISCONFIGURED] = trace.misconfigured
    return metrics.members(now, dimensions, values)


@dataclass(slots=True)
class BatchMeter:
    """Adds up the calls that one process makes for batches, and writes the sums: a line a tier and model.

    A refused call is one more line, a cause. Without *metrics* nothing is kept. *clock* is in seconds since 1970.
    """

    metrics: EmbeddedMetrics | None = None
    clock: Callable[[], float] = time.time
    _used: dict[tuple[str, str], dict[str, float]] = field(default_factory=dict)
    _refused: dict[tuple[str, str, str], int] = field(default_factory=dict)
    _since: float = 0.0

    def called(self, tier: str, trace: Trace) -> None:
        """A call of a batch whose owner is of this tier has ended."""
        if self.metrics is None:
            return
        now = self.clock()
        if not self._used:
            self._since = now
        values = self._used.setdefault((tier, _model_of(trace)), {REQUESTS: 0})
        values[REQUESTS] += 1
        _add_use(values, trace)
        if trace.misconfigured:
            values[MISCONFIGURED] = values.get(MISCONFIGURED, 0) + trace.misconfigured
        if trace.cause is not None:
            refused = (tier, _model_of(trace), trace.cause)
            self._refused[refused] = self._refused.get(refused, 0) + 1
        if now - self._since >= WRITE_SECONDS:
            self.write()

    def write(self) -> None:
        """Writes what there is since the last time."""
        if self.metrics is None:
            return
        now = self.clock()
        used, self._used = self._used, {}
        refused, self._refused = self._refused, {}
        for (tier, model), values in used.items():
            dimensions = {SOURCE: BATCH, TIER: tier, MODEL: model}
            log("batch_calls", {}, members=self.metrics.members(now, dimensions, values))
        for (tier, model, cause), count in refused.items():
            dimensions = {SOURCE: BATCH, TIER: tier, MODEL: model, CAUSE: cause}
            log("batch_refusals", {}, members=self.metrics.members(now, dimensions, {REFUSALS: count}))


def _model_of(trace: Trace) -> str:
    return NONE if trace.known_model is None else trace.known_model.id


def _add_use(values: dict[str, float], trace: Trace) -> None:
    """Input tokens are all of the prompt's, cached or not; of a model without prices the cost is not known."""
    usage = trace.usage
    if usage is None:
        return
    values[INPUT_TOKENS] = values.get(INPUT_TOKENS, 0) + usage.prompt_tokens
    values[OUTPUT_TOKENS] = values.get(OUTPUT_TOKENS, 0) + usage.output_tokens
    if trace.known_model is not None and trace.known_model.prices is not None:
        dollars = microdollars_of(usage, trace.known_model.prices) / 1_000_000
        values[COST] = round(values.get(COST, 0) + dollars, _DOLLAR_PLACES)

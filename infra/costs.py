"""What AWS charges for a gateway's own work, worked out from its public prices: docs/costs.md is made from here.

    python -m infra.costs

prints the page's tables. The models' own price comes on top; it is the catalogue's.
"""

import sys
from collections.abc import Mapping
from dataclasses import dataclass

from infra.prices import (
    ALARM,
    API,
    GB_SECOND,
    INVOCATION,
    LOG_GB,
    LOOKED_UP,
    METRIC,
    MILLION,
    READ,
    S3_GET,
    S3_PUT,
    SECRET,
    SQS,
    WRITE,
    Price,
    price_table,
    shown,
)
from megallm.batches.model import ITEMS_A_PART
from megallm.stores.resources import QUEUES
from megallm.telemetry import metrics
from megallm.telemetry.metrics import Source

# What one message holds of a function of 1 GB: the time that the model takes to answer.
MESSAGE_SECONDS = 5.0
MESSAGE_LOG_BYTES = 1900  # ours with its metrics, API Gateway's and Lambda's own lines
ITEMS_AT_ONCE = 64
STACK_ALARMS = 24
# Lambda keeps five connections open to each queue, and asks on each of them every 20 seconds.
QUEUES_POLLED, POLLERS = len(QUEUES), 5


@dataclass(frozen=True, slots=True)
class Asked:
    """Of DynamoDB, in units, and of S3, in requests: lists are priced as what is put."""

    writes: int
    reads: int
    puts: int
    gets: int

    def plus(self, other: "Asked") -> "Asked":
        """Both together."""
        return Asked(
            self.writes + other.writes, self.reads + other.reads, self.puts + other.puts, self.gets + other.gets
        )

    def times(self, count: int) -> "Asked":
        """So often."""
        return Asked(self.writes * count, self.reads * count, self.puts * count, self.gets * count)


# Counted with a worker process in front of a stub that answers after five seconds, for one part of 1,000 items of the
# operator's, and held by tests/operations/batches/test_what_aws_is_asked.py: 16 checkpoints and the end, each a
# transaction of two writes, which are two units each; a claim, a beginning, four leases; a look at the batch each two
# seconds.
OF_A_WORKER = Asked(writes=17 * 4 + 6, reads=42, puts=19, gets=17)
# By intake and finisher: for each part, and beside that once.
OF_A_PART = Asked(writes=3, reads=0, puts=0, gets=2)
OF_A_BATCH = Asked(writes=14, reads=6, puts=6, gets=4)


@dataclass(frozen=True, slots=True)
class InUse:
    """How many values the dimensions have: pairs of tier and model, tiers without a model, causes of refusals.

    Whoever asks for no model is a pair as well: wrong keys and scanners, of no tier, and of each tier those who list
    models or look at batches.
    """

    pairs: int
    without_model: int
    causes: int


IN_USE: Mapping[Source, InUse] = {metrics.API: InUse(4, 3, 4), metrics.BATCH: InUse(1, 0, 1)}
# What there is of a request that no model was asked by.
WITHOUT_MODEL = (metrics.REQUESTS, metrics.REFUSALS)


@dataclass(frozen=True, slots=True)
class Line:
    """So much of something, at so many dollars each."""

    what: str
    quantity: float
    price: Price

    @property
    def dollars(self) -> float:
        """The line's sum."""
        return self.quantity * self.price.each


def messages(count: int, seconds: float) -> list[Line]:
    """So many calls of POST /v1/messages, each as long."""
    return [
        Line("API Gateway, requests", count, API),
        Line("Lambda, requests", count, INVOCATION),
        Line(f"Lambda, {seconds:g} s at 1 GB each", count * seconds, GB_SECOND),
        Line("DynamoDB, writes: admitted, settled", 2 * count, WRITE),
        Line("CloudWatch, GB of logs", count * MESSAGE_LOG_BYTES / 1e9, LOG_GB),
    ]


def batch_items(count: int, seconds: float) -> list[Line]:
    """A batch of so many items, each call as long; a worker has many of them in flight."""
    parts = -(-count // ITEMS_A_PART)
    asked = OF_A_BATCH.plus(OF_A_PART.plus(OF_A_WORKER).times(parts))
    return [
        Line(
            f"Lambda, {ITEMS_AT_ONCE} calls of {seconds:g} s at once in 1 GB",
            parts * part_seconds(seconds),
            GB_SECOND,
        ),
        Line("Lambda, requests: parts, and three more", parts + 3, INVOCATION),
        Line("DynamoDB, writes: parts, leases, checkpoints", asked.writes, WRITE),
        Line("DynamoDB, reads", asked.reads, READ),
        Line("S3, writes and lists: checkpoints, parts, results", asked.puts, S3_PUT),
        Line("S3, reads", asked.gets, S3_GET),
        Line("SQS, requests", parts * 4, SQS),
    ]


def part_seconds(seconds: float) -> float:
    """How long a worker has a part, each call as long: the items go in rows."""
    return -(-ITEMS_A_PART // ITEMS_AT_ONCE) * seconds


def idle_month() -> list[Line]:
    """What a month costs in which nobody asks."""
    ticks = 30 * 24 * 60
    return [
        Line("CloudWatch, alarms", STACK_ALARMS, ALARM),
        Line("Secrets Manager, the signing secret", 1, SECRET),
        Line("Lambda, the clock's ticks of 0.1 s at 1 GB", ticks * 0.1, GB_SECOND),
        Line("Lambda, the ticks as requests", ticks, INVOCATION),
        Line("DynamoDB, the ticks' reads", ticks, READ),
        Line("SQS, Lambda's looking for messages", QUEUES_POLLED * POLLERS * ticks * 3, SQS),
        Line("CloudWatch, the metric of stuck batches", 1, METRIC),
    ]


def busy_month() -> list[Line]:
    """What a month has beside its calls, once there are some."""
    requests, batches = IN_USE[metrics.API], IN_USE[metrics.BATCH]
    pairs = f"{requests.pairs} pairs of tier and model, {batches.pairs} in batches"
    what = f"CloudWatch, further metrics: {pairs}, {requests.without_model} of no model"
    return [*idle_month(), Line(what, own_metrics(IN_USE) - 1, METRIC)]


def own_metrics(in_use: Mapping[Source, InUse]) -> int:
    """How many metrics are paid for where so much of each source is in use."""
    count = sum(metrics.WHOLE in metric.sets for metric in metrics.METRICS.values())
    for source, used in in_use.items():
        values = {metrics.WHOLE: 0, metrics.BY_SOURCE: 1, metrics.BY_MODEL: used.pairs, metrics.BY_CAUSE: used.causes}
        written = (metric for metric in metrics.METRICS.values() if source in metric.sources)
        count += sum(values[each] for metric in written for each in metric.sets)
        count += used.without_model * len(WITHOUT_MODEL)
    return count


def table(lines: list[Line]) -> str:
    """In Markdown, with the sum."""
    rows = ["| | quantity | each | US dollars |", "| --- | --- | --- | --- |"]
    rows += [
        f"| {line.what} | {shown(line.quantity, 1)} | {shown(line.price.each, 10)} | {line.dollars:,.2f} |"
        for line in lines
    ]
    return "\n".join([*rows, f"| **together** | | | **{sum(line.dollars for line in lines):,.2f}** |"]) + "\n"


def page() -> dict[str, str]:
    """The tables by their titles."""
    return {
        f"Prices, looked up on {LOOKED_UP}": price_table(),
        "A million messages": table(messages(MILLION, MESSAGE_SECONDS)),
        "100,000 items of batches": table(batch_items(100_000, MESSAGE_SECONDS)),
        "A month in which nobody asks": table(idle_month()),
        "A month beside its calls": table(busy_month()),
    }


if __name__ == "__main__":
    sys.stdout.write("\n".join(f"## {title}\n\n{text}" for title, text in page().items()))

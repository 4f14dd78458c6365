"""What AWS charges for a gateway's own work, worked out from its public prices: docs/costs.md is made from here.

    python -m infra.costs

prints the page's tables. The models' own price comes on top; it is the catalogue's.
"""

import sys
from dataclasses import dataclass

from megallm.batches.model import ITEMS_A_PART
from megallm.stores.resources import QUEUES

MILLION = 1_000_000

# US dollars in us-east-1, without any free tier: https://aws.amazon.com/pricing/, each service's own page.
API_REQUEST = 3.50 / MILLION
LAMBDA_REQUEST = 0.20 / MILLION
LAMBDA_GB_SECOND = 0.0000133334  # arm64
WRITE_UNIT = 0.625 / MILLION
READ_UNIT = 0.125 / MILLION
SQS_REQUEST = 0.40 / MILLION
S3_WRITE = 0.005 / 1000
S3_READ = 0.0004 / 1000
LOG_GB = 0.50
ALARM_MONTH = 0.10
METRIC_MONTH = 0.30
SECRET_MONTH = 0.40

# What one message holds of a function of 1 GB: the time that the model takes to answer.
MESSAGE_SECONDS = 5.0
MESSAGE_LOG_BYTES = 1400  # ours, API Gateway's and Lambda's own lines
ITEMS_AT_ONCE = 64
CHECKPOINTS_A_PART = 10
STACK_ALARMS = 24
# Lambda keeps five connections open to each queue, and asks on each of them every 20 seconds.
QUEUES_POLLED, POLLERS = len(QUEUES), 5
METRICS = 24  # six of them, for each tier and model in use: here four


@dataclass(frozen=True, slots=True)
class Line:
    """So much of something, at so many dollars each."""

    what: str
    quantity: float
    price: float

    @property
    def dollars(self) -> float:
        """The line's sum."""
        return self.quantity * self.price


def messages(count: int, seconds: float) -> list[Line]:
    """So many calls of POST /v1/messages, each as long."""
    return [
        Line("API Gateway, requests", count, API_REQUEST),
        Line("Lambda, requests", count, LAMBDA_REQUEST),
        Line(f"Lambda, {seconds:g} s at 1 GB each", count * seconds, LAMBDA_GB_SECOND),
        Line("DynamoDB, writes: admitted, settled", 2 * count, WRITE_UNIT),
        Line("CloudWatch, GB of logs", count * MESSAGE_LOG_BYTES / 1e9, LOG_GB),
    ]


def batch_items(count: int, seconds: float) -> list[Line]:
    """So many items of batches, each call as long; a worker has many of them in flight."""
    parts = -(-count // ITEMS_A_PART)
    return [
        Line(
            f"Lambda, {ITEMS_AT_ONCE} calls of {seconds:g} s at once in 1 GB",
            count * seconds / ITEMS_AT_ONCE,
            LAMBDA_GB_SECOND,
        ),
        Line("Lambda, requests: parts, and three more", parts + 3, LAMBDA_REQUEST),
        Line("DynamoDB, writes: parts, leases, checkpoints", parts * (6 + 4 * CHECKPOINTS_A_PART), WRITE_UNIT),
        Line("DynamoDB, reads", parts * 10, READ_UNIT),
        Line("S3, writes: checkpoints, parts, results", parts * (CHECKPOINTS_A_PART + 3), S3_WRITE),
        Line("S3, reads", parts * (CHECKPOINTS_A_PART + 3), S3_READ),
        Line("SQS, requests", parts * 4, SQS_REQUEST),
    ]


def idle_month() -> list[Line]:
    """What a month costs in which nobody asks."""
    ticks = 30 * 24 * 60
    return [
        Line("CloudWatch, alarms", STACK_ALARMS, ALARM_MONTH),
        Line("Secrets Manager, the signing secret", 1, SECRET_MONTH),
        Line("Lambda, the clock's ticks of 0.1 s at 1 GB", ticks * 0.1, LAMBDA_GB_SECOND),
        Line("Lambda, the ticks as requests", ticks, LAMBDA_REQUEST),
        Line("DynamoDB, the ticks' reads", ticks, READ_UNIT),
        Line("SQS, Lambda's looking for messages", QUEUES_POLLED * POLLERS * ticks * 3, SQS_REQUEST),
    ]


def busy_month() -> list[Line]:
    """What a month has beside its calls, once there are some."""
    return [*idle_month(), Line("CloudWatch, metrics for four pairs of tier and model", METRICS, METRIC_MONTH)]


def table(lines: list[Line]) -> str:
    """In Markdown, with the sum."""
    rows = ["| | quantity | each | US dollars |", "| --- | --- | --- | --- |"]
    rows += [
        f"| {line.what} | {_shown(line.quantity, 1)} | {_shown(line.price, 10)} | {line.dollars:,.2f} |"
        for line in lines
    ]
    return "\n".join([*rows, f"| **together** | | | **{sum(line.dollars for line in lines):,.2f}** |"]) + "\n"


def _shown(number: float, places: int) -> str:
    return f"{number:,.{places}f}".rstrip("0").rstrip(".")


def page() -> dict[str, str]:
    """The tables by their titles."""
    return {
        "A million messages": table(messages(MILLION, MESSAGE_SECONDS)),
        "100,000 items of batches": table(batch_items(100_000, MESSAGE_SECONDS)),
        "A month in which nobody asks": table(idle_month()),
        "A month beside its calls": table(busy_month()),
    }


if __name__ == "__main__":
    sys.stdout.write("\n".join(f"## {title}\n\n{text}" for title, text in page().items()))

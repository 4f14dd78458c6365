"""SQS as a source of events: the messages of one invocation, and the answer that names those which must come again.

https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-errorhandling.html
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

Event = Mapping[str, Any]  # Any: JSON of AWS's making


class Context(Protocol):
    """What is needed of Lambda's context."""

    def get_remaining_time_in_millis(self) -> int:
        """How long the invocation may still run."""


@dataclass(frozen=True, slots=True)
class Message:
    """One message. ``id`` is the queue's, and the same each time that it is delivered; ``receipt`` is this delivery's.

    ``deliveries`` counts this one too.
    """

    id: str
    body: str
    receipt: str
    deliveries: int


def messages_of(event: Event) -> list[Message]:
    """Those of an invocation."""
    return [
        Message(
            record["messageId"],
            record["body"],
            record["receiptHandle"],
            int(record["attributes"]["ApproximateReceiveCount"]),
        )
        for record in event["Records"]
    ]


def failed(ids: Iterable[str]) -> dict[str, Any]:
    """The answer: all messages but these are done with."""
    return {"batchItemFailures": [{"itemIdentifier": message_id} for message_id in ids]}

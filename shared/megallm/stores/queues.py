"""``BatchQueues`` over SQS. A message that SQS did not take is sent again, and is an error if it stays so."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from megallm.batches.model import Batch
from megallm.batches.pointers import finish_to_wire, part_to_wire
from megallm.errors import InternalError
from megallm.stores.aws import told_as

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient
    from mypy_boto3_sqs.type_defs import SendMessageBatchRequestEntryTypeDef

_MESSAGES_A_REQUEST = 10
_TRIES = 5
_FIRST_WAIT_SECONDS = 0.1
_LONGEST_DELAY_SECONDS = 900  # SQS's


@dataclass(frozen=True, slots=True)
class QueueUrls:
    """Where the three queues are."""

    intake: str
    work: str
    finish: str


class SqsQueues:
    """Raises InternalError where SQS fails. *connect* makes the client when it is first needed."""

    def __init__(
        self, connect: Callable[[], "SQSClient"], urls: QueueUrls, sleep: Callable[[float], None] = time.sleep
    ) -> None:
        self._connect = connect
        self._urls = urls
        self._sleep = sleep

    @cached_property
    def _client(self) -> "SQSClient":
        return self._connect()

    def send_parts(self, batch: Batch, numbers: Sequence[int], delay_seconds: int = 0) -> None:
        # A group per owner: SQS gives those their turn who have few messages (fair queues).
        # https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-fair-queues.html
        entries: list[SendMessageBatchRequestEntryTypeDef] = [
            {
                "Id": str(number),
                "MessageBody": part_to_wire(batch.id, number),
                "MessageGroupId": batch.owner,
                "DelaySeconds": max(0, min(delay_seconds, _LONGEST_DELAY_SECONDS)),
            }
            for number in numbers
        ]
        for at in range(0, len(entries), _MESSAGES_A_REQUEST):
            self._send(entries[at : at + _MESSAGES_A_REQUEST])

    def send_finish(self, batch_id: str) -> None:
        with told_as("queue the end of a batch"):
            self._client.send_message(QueueUrl=self._urls.finish, MessageBody=finish_to_wire(batch_id))

    def send_job(self, body: str) -> None:
        with told_as("queue a job"):
            self._client.send_message(QueueUrl=self._urls.intake, MessageBody=body)

    def intake_again(self, receipt: str, after_seconds: int) -> None:
        with told_as("have a message come again"):
            self._client.change_message_visibility(
                QueueUrl=self._urls.intake, ReceiptHandle=receipt, VisibilityTimeout=after_seconds
            )

    def _send(self, entries: "list[SendMessageBatchRequestEntryTypeDef]") -> None:
        wait = _FIRST_WAIT_SECONDS
        for _ in range(_TRIES):
            with told_as("queue the parts of a batch"):
                failed = self._client.send_message_batch(QueueUrl=self._urls.work, Entries=entries).get("Failed", [])
            if not failed:
                return
            ids = {entry["Id"] for entry in failed}
            entries = [entry for entry in entries if entry["Id"] in ids]
            if all(entry["SenderFault"] for entry in failed):
                break  # it would be refused again
            self._sleep(wait)
            wait *= 2
        raise InternalError(f"The gateway could not queue {len(entries)} parts of a batch")

"""How somebody who is not a gateway, such as the command line, gets at the batches of an AWS."""

from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import TYPE_CHECKING

from botocore.exceptions import BotoCoreError

from megallm.batches.model import Batch
from megallm.operations.batch_ports import BatchPorts
from megallm.stores.aws import AwsTarget, told_as
from megallm.stores.batches import DynamoBatches
from megallm.stores.batches_table import BatchesTable
from megallm.stores.events import LoggedEvents
from megallm.stores.objects import S3Objects
from megallm.stores.open_keys import NoSuchAws
from megallm.stores.queues import QueueUrls, SqsQueues
from megallm.stores.resources import PREFIX, name_of

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient


def open_batches(
    target: AwsTarget, *, table: str, bucket: str, queue_urls: Mapping[str, str | None], prefix: str = PREFIX
) -> BatchPorts:
    """The batches in a table and a bucket. A queue whose URL is not given is looked up when it is used.

    Its name begins with *prefix*, which is that of the stack. Nothing is sent yet. Raises NoSuchAws.
    """
    try:
        dynamodb = target.batch_dynamodb()
    except (BotoCoreError, ValueError) as error:  # boto3 gives a ValueError for an endpoint that is no URL
        raise NoSuchAws(str(error)) from error
    return BatchPorts(
        store=DynamoBatches(BatchesTable(lambda: dynamodb, table)),
        objects=S3Objects(target.s3, bucket),
        queues=_FoundQueues(target, queue_urls, prefix),
        events=LoggedEvents(),
        bucket=bucket,
    )


class _FoundQueues:
    """``BatchQueues`` of which each is looked for when something is sent to it: who only looks at batches sees none."""

    def __init__(self, target: AwsTarget, queue_urls: Mapping[str, str | None], prefix: str) -> None:
        self._target = target
        self._prefix = prefix
        self._urls = dict(queue_urls)

    @cached_property
    def _client(self) -> "SQSClient":
        return self._target.sqs()

    def send_parts(self, batch: Batch, numbers: Sequence[int], delay_seconds: int = 0) -> None:
        self._only("work").send_parts(batch, numbers, delay_seconds)

    def send_finish(self, batch_id: str) -> None:
        self._only("finish").send_finish(batch_id)

    def send_job(self, body: str) -> None:
        self._only("intake").send_job(body)

    def intake_again(self, receipt: str, after_seconds: int) -> None:
        self._only("intake").intake_again(receipt, after_seconds)

    def _only(self, role: str) -> SqsQueues:
        url = self._urls.get(role)
        if not url:
            name = name_of(role, self._prefix)
            with told_as(f"find the queue {name}"):
                url = self._urls[role] = self._client.get_queue_url(QueueName=name)["QueueUrl"]
        return SqsQueues(lambda: self._client, QueueUrls(url, url, url))

"""The batch functions of a local stack: what Lambda does in AWS, polling the queues and calling the same handlers.

They run on the server's own event loop, since the model that they call is the server's.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from functions.batch_finisher.entry import FinisherEntry
from functions.batch_intake.entry import IntakeEntry
from functions.batch_worker.entry import WorkerEntry
from megallm.composition.batches import BatchWork
from megallm.identifiers import new_request_id
from megallm.local.isolation import REGION
from megallm.local.kept_results import KeptResults
from megallm.stores.aws import AwsTarget
from megallm.telemetry import log

if TYPE_CHECKING:
    from pathlib import Path

    from mypy_boto3_sqs import SQSClient

Event = dict[str, Any]  # Any: JSON of AWS's making
Handle = Callable[[Event], Awaitable[Mapping[str, Any]]]

# How often an empty queue is asked, and how often after there was something: each asking takes 3 ms of moto's CPU.
_IDLE_SECONDS = 1.0
_BUSY_SECONDS = 0.05
_BUSY_FOR_SECONDS = 5.0
# What failed comes again after this.
_AGAIN_SECONDS = 5
_SWEEP_SECONDS = 60.0
_PARTS_AT_ONCE = 8


class LocalBatches:
    """The intake, the worker and the finisher, each with its queue, and the schedule."""

    def __init__(self, work: BatchWork, target: AwsTarget, queues: Mapping[str, str], results: "Path") -> None:
        ports = work.ports
        work = replace(work, ports=replace(ports, events=KeptResults(ports.events, ports.objects, results)))
        self._sqs: SQSClient = target.sqs()
        self._queues = queues
        self._intake = IntakeEntry(work)
        self._work = work
        self._finisher = FinisherEntry(work)
        self._busy_until = 0.0
        self._running = 0

    @property
    def is_busy(self) -> bool:
        """Whether a handler is at work."""
        return self._running > 0

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Works meanwhile. What is under way at the end is cancelled: everything local is forgotten then, too."""
        worker = WorkerEntry(self._work, asyncio.get_running_loop())
        tasks = [
            asyncio.create_task(work)
            for work in (
                self._poll("intake", self._in_thread(self._intake), at_once=1),
                self._poll("work", lambda event: worker.run(event, None), at_once=_PARTS_AT_ONCE),
                self._poll("finish", self._in_thread(self._finisher), at_once=1),
                self._sweep(),
            )
        ]
        try:
            yield
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.wait(tasks, timeout=_BUSY_SECONDS)

    async def _poll(self, role: str, handle: Handle, *, at_once: int) -> None:
        """Receives messages and gives each to the handler, as an invocation of its own."""
        url = self._queues[role]
        handling: set[asyncio.Task[None]] = set()
        try:
            while True:
                records = await self._received(url, at_once - len(handling))
                for record in records:
                    self._busy_until = time.monotonic() + _BUSY_FOR_SECONDS
                    task = asyncio.create_task(self._handle(url, record, handle))
                    handling.add(task)
                    task.add_done_callback(handling.discard)
                if len(handling) >= at_once:
                    await asyncio.wait(handling, return_when=asyncio.FIRST_COMPLETED)
                elif not records:
                    busy = bool(handling) or time.monotonic() < self._busy_until
                    await asyncio.sleep(_BUSY_SECONDS if busy else _IDLE_SECONDS)
        finally:
            for task in handling:
                task.cancel()

    async def _received(self, url: str, most: int) -> list[Event]:
        try:
            answer = await asyncio.to_thread(
                self._sqs.receive_message,
                QueueUrl=url,
                MaxNumberOfMessages=min(most, 10),
                MessageSystemAttributeNames=["All"],
            )
        except Exception as error:  # noqa: BLE001  whatever it was, the next one may be well
            log("queue_unreadable", {}, error=error)
            return []
        return [_record(message, url) for message in answer.get("Messages", [])]

    async def _handle(self, url: str, record: Event, handle: Handle) -> None:
        self._running += 1
        try:
            answer = await handle({"Records": [record]})
            await asyncio.to_thread(self._settle, url, record["receiptHandle"], bool(answer["batchItemFailures"]))
        except Exception as error:  # noqa: BLE001  the message comes again, after its time
            log("message_unsettled", {"message_id": record["messageId"]}, error=error)
        finally:
            self._running -= 1
            self._busy_until = time.monotonic() + _BUSY_FOR_SECONDS

    def _settle(self, url: str, receipt: str, has_failed: bool) -> None:
        if has_failed:
            self._sqs.change_message_visibility(QueueUrl=url, ReceiptHandle=receipt, VisibilityTimeout=_AGAIN_SECONDS)
        else:
            self._sqs.delete_message(QueueUrl=url, ReceiptHandle=receipt)

    async def _sweep(self) -> None:
        while True:
            await asyncio.sleep(_SWEEP_SECONDS)
            try:
                await asyncio.to_thread(self._finisher, _scheduled(), None)
            except Exception as error:  # noqa: BLE001  the next minute is the retry
                log("sweep_failed", {}, error=error)

    @staticmethod
    def _in_thread(entry: IntakeEntry | FinisherEntry) -> Handle:
        return lambda event: asyncio.to_thread(entry, event, None)


def _record(message: Any, url: str) -> Event:  # Any: boto3's answer
    """A message as Lambda hands it on.

    https://docs.aws.amazon.com/lambda/latest/dg/with-sqs.html#example-standard-queue-message-event
    """
    return {
        "messageId": message["MessageId"],
        "receiptHandle": message["ReceiptHandle"],
        "body": message["Body"],
        "attributes": message.get("Attributes", {}),
        "messageAttributes": message.get("MessageAttributes", {}),
        "md5OfBody": message["MD5OfBody"],
        "eventSource": "aws:sqs",
        "eventSourceARN": f"arn:aws:sqs:{REGION}:{':'.join(url.rsplit('/', 2)[1:])}",
        "awsRegion": REGION,
    }


def _scheduled() -> Event:
    """What EventBridge sends each minute."""
    return {
        "version": "0",
        "id": new_request_id(),
        "detail-type": "Scheduled Event",
        "source": "aws.events",
        "account": "123456789012",
        "time": datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "region": REGION,
        "resources": [f"arn:aws:events:{REGION}:123456789012:rule/local"],
        "detail": {},
    }

"""The batches' real stores over moto, whose processes die at one of their calls of S3, DynamoDB or SQS."""

import json
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field, replace
from itertools import count
from typing import TYPE_CHECKING, Any

from moto import mock_aws

from megallm.batches.model import Batch
from megallm.batches.pointers import part_from_wire
from megallm.local.moto_dynamodb import mend_dynamodb
from megallm.operations.batch_ports import BatchPorts
from megallm.operations.finish_batch import finish_batch
from megallm.operations.intake_batch import intake_object
from megallm.stores.objects import S3Objects
from megallm.stores.queues import QueueUrls, SqsQueues
from tests.batch_fakes import Process
from tests.operations.batches.harness import Scene, in_use
from tests.stores.batch_tables import AWS, create_table, store_over

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_sqs import SQSClient

_READING = ("Get", "Head", "List", "Query", "Batch", "Receive")
_NAMES = (f"deployed-{number}" for number in count())


@dataclass
class Clients:
    """Shared by all that is deployed in a test module: to make them takes long. ``process`` is who calls now."""

    s3: "S3Client"
    dynamodb: "DynamoDBClient"
    sqs: "SQSClient"
    process: Process = field(default_factory=Process)

    def begin(self, model: Any, context: dict[str, Any], **_: Any) -> None:  # Any: botocore's
        """Before a call. One that only reads is none to die at."""
        self.process.check()
        if not model.name.startswith(_READING):
            effect = context["effect"] = self.process.effect(model.name)
            effect.__enter__()

    def end(self, context: dict[str, Any], **_: Any) -> None:  # Any: botocore's
        """After its answer has come."""
        effect: AbstractContextManager[None] | None = context.pop("effect", None)
        if effect is not None:
            effect.__exit__(None, None, None)


@contextmanager
def clients() -> Iterator[Clients]:
    """Of a mocked AWS."""
    mend_dynamodb()
    with mock_aws():
        made = Clients(AWS.s3(), AWS.batch_dynamodb(), AWS.sqs())
        for client in (made.s3, made.dynamodb, made.sqs):
            client.meta.events.register("before-call", made.begin)
            client.meta.events.register("after-call", made.end)
        yield made


class Deployed:
    """A bucket that keeps versions, a table and three queues, with one object dropped; and a scene for the rest."""

    def __init__(self, clients: Clients, scene: Scene, key: str, body: bytes) -> None:
        self._clients = clients
        self._scene = scene
        self._key = key
        name = next(_NAMES)
        clients.process = Process()
        create_table(clients.dynamodb, name)
        clients.s3.create_bucket(Bucket=name)
        clients.s3.put_bucket_versioning(Bucket=name, VersioningConfiguration={"Status": "Enabled"})
        queues = [clients.sqs.create_queue(QueueName=f"{name}-{role}")["QueueUrl"] for role in ("in", "work", "finish")]
        self.urls = QueueUrls(*queues)
        self._ports = BatchPorts(
            store_over(clients.dynamodb, name),
            S3Objects(lambda: clients.s3, name),
            SqsQueues(lambda: clients.sqs, self.urls),
            scene.world.ports().events,
            name,
        )
        metadata = {"client-token": "the-same"}  # so that the ids are the same in all of them
        put = clients.s3.put_object(Bucket=name, Key=key, Body=body, Metadata=metadata)
        self._version = put["VersionId"]
        self.part_messages: list[tuple[str, int]] = []
        self.finish_messages: list[str] = []

    def intake(self, process: Process) -> Batch:
        """The intake has the event of the object."""
        ports = self._as_seen_by(process)
        return intake_object(ports, self._key, self._version, self._scene.clock(), in_use, self._scene.rules())

    def work(self, process: Process) -> None:
        """A worker has all messages that wait; they are deleted once it is done with them."""
        worker = self._scene.worker(process, ports=self._as_seen_by(process))

        async def all_of_them() -> None:
            for batch_id, number in self.part_messages:
                await worker.run(batch_id, number)

        self._scene.run(all_of_them())
        self.part_messages.clear()

    def finish(self, process: Process) -> None:
        """The finisher has all of its messages."""
        ports = self._as_seen_by(process)
        for batch_id in self.finish_messages:
            finish_batch(ports, batch_id, self._scene.clock())
        self.finish_messages.clear()

    def deliver(self) -> None:
        """What was sent waits to be worked on, each message twice."""
        self._clients.process = Process()
        pointers = [part_from_wire(body) for body in self._received(self.urls.work)]
        self.part_messages += [(pointer.batch_id, pointer.part) for pointer in pointers] * 2
        self.finish_messages += [json.loads(body)["batch_id"] for body in self._received(self.urls.finish)]

    def batch(self) -> Batch:
        """The one batch."""
        self._clients.process = Process()
        (batch,), _ = self._ports.store.list("operator", limit=10, after_id=None, before_id=None)
        return batch

    def ports(self) -> BatchPorts:
        """As a new process sees them."""
        return self._as_seen_by(Process())

    def files(self) -> dict[str, bytes]:
        """What is in the bucket now, without the input; by the key's last part."""
        self._clients.process = Process()
        objects = self._ports.objects
        keys = [key for key in objects.list("") if key != self._key]
        return {key.rpartition("/")[2]: b"".join(objects.stream(key)) for key in keys}

    def _as_seen_by(self, process: Process) -> BatchPorts:
        self._clients.process = process
        return replace(self._ports, events=self._scene.world.ports(process).events)

    def _received(self, url: str) -> Iterator[str]:
        sqs = self._clients.sqs
        while messages := sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10).get("Messages"):
            for message in messages:
                yield message["Body"]
                sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])

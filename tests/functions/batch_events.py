"""Events as Lambda hands them to the batch functions, and what those work with, in memory."""

import json
import time
from collections.abc import Sequence
from dataclasses import replace
from typing import Any
from urllib.parse import quote_plus

from megallm.composition.batches import BatchWork, Owners
from megallm.limits.tiers import load
from tests.batch_fakes import BUCKET, Process, World
from tests.fakes import KEY_RECORD, MemoryKeys, ScriptedProvider, gateway


def work_in(world: World, provider: ScriptedProvider | None = None, process: Process | None = None) -> BatchWork:
    """As the composition root makes it, over the fakes."""
    ports = world.ports(process)
    return BatchWork(
        replace(gateway(provider), batches=ports), ports, Owners(MemoryKeys(KEY_RECORD), load(), None, time.time)
    )


def from_queue(*bodies: str) -> dict[str, Any]:
    """One invocation by SQS; ids are id-1, id-2, …"""
    records = [
        {
            "messageId": f"id-{number}",
            "receiptHandle": "handle",
            "body": body,
            "attributes": {"ApproximateReceiveCount": "1", "SentTimestamp": "1545082649183"},
            "messageAttributes": {},
            "md5OfBody": "e4e68fb7bd0e697a0ae8f1bb342846b3",
            "eventSource": "aws:sqs",
            "eventSourceARN": "arn:aws:sqs:us-east-1:123456789012:megallm-intake",
            "awsRegion": "us-east-1",
        }
        for number, body in enumerate(bodies, start=1)
    ]
    return {"Records": records}


def s3_body(*keys: str, bucket: str = BUCKET, name: str = "ObjectCreated:Put", versions: Sequence[str] = ()) -> str:
    """What S3 puts into a queue's message, for these (decoded) keys."""
    records = []
    for number, key in enumerate(keys):
        item = {"key": quote_plus(key, safe="/"), "size": 5, "eTag": "0" * 32, "sequencer": "0055AED6DCD90281E5"}
        if versions:
            item["versionId"] = versions[number]
        records.append(
            {
                "eventVersion": "2.1",
                "eventSource": "aws:s3",
                "awsRegion": "us-east-1",
                "eventTime": "1970-01-01T00:00:00.000Z",
                "eventName": name,
                "s3": {
                    "s3SchemaVersion": "1.0",
                    "configurationId": "inbox",
                    "bucket": {"name": bucket, "arn": f"arn:aws:s3:::{bucket}"},
                    "object": item,
                },
            }
        )
    return json.dumps({"Records": records})


def request_line(custom_id: str, text: str = "Hello") -> bytes:
    """An item of an inbox/messages file."""
    params = {"model": "claude-test", "max_tokens": 20, "messages": [{"role": "user", "content": text}]}
    return json.dumps({"custom_id": custom_id, "params": params}).encode() + b"\n"


def failures(*ids: str) -> dict[str, Any]:
    """The answer that makes these messages come again."""
    return {"batchItemFailures": [{"itemIdentifier": message_id} for message_id in ids]}


TEST_EVENT = json.dumps(
    {
        "Service": "Amazon S3",
        "Event": "s3:TestEvent",
        "Time": "2014-10-13T15:57:02.089Z",
        "Bucket": BUCKET,
        "RequestId": "5582815E1AEA5ADF",
        "HostId": "8cLeGAmw098X5cv4Zkwcmo8vvZa3eH3eKxsPzbB9wrR+YstdA6Knx4Ip8EXAMPLE",
    }
)

SCHEDULED = {
    "version": "0",
    "id": "53dc4d37-cffa-4f76-80c9-8b7d4a4d2eaa",
    "detail-type": "Scheduled Event",
    "source": "aws.events",
    "account": "123456789012",
    "time": "2015-10-08T16:53:06Z",
    "region": "us-east-1",
    "resources": ["arn:aws:events:us-east-1:123456789012:rule/every-minute"],
    "detail": {},
}

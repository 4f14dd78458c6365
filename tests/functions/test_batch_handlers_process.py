"""The handlers themselves, each in a process with a function's environment, over the local AWS."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from megallm.local import aws
from megallm.local.isolation import local_target
from tests.functions.batch_events import failures, from_queue

pytestmark = pytest.mark.slow

ROOT = Path(__file__).resolve().parents[2]
CANARY = "canary-text-91c4"
KEY = "inbox/messages/a.jsonl"


class Deployed:
    """What the functions have around them."""

    def __init__(self, local_aws: aws.LocalAws) -> None:
        resources = local_aws.create_resources(keys_table="k", limits_table="l", batches_table="b")
        target = local_target(local_aws.endpoint_url)
        self.s3, self.sqs = target.s3(), target.sqs()
        self.queues = resources.queues
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "MEGALLM_"))}
        self.environment = kept | {
            "AWS_ACCESS_KEY_ID": "test",
            "AWS_SECRET_ACCESS_KEY": "test",
            "AWS_REGION": "us-east-1",
            "AWS_DEFAULT_REGION": "us-east-1",
            "AWS_ENDPOINT_URL": local_aws.endpoint_url,
            "MEGALLM_CATALOG": "aws",
            "MEGALLM_KEYS_TABLE": "k",
            "MEGALLM_LIMITS_TABLE": "l",
            "MEGALLM_BATCHES_TABLE": "b",
            "MEGALLM_BATCHES_BUCKET": resources.bucket,
            **{f"MEGALLM_{role.upper()}_QUEUE_URL": url for role, url in resources.queues.items()},
            "PYTHONPATH": os.pathsep.join([str(ROOT), str(ROOT / "shared")]),
        }

    def messages(self, role: str) -> list[str]:
        """The bodies in a queue."""
        answer = self.sqs.receive_message(QueueUrl=self.queues[role], MaxNumberOfMessages=10)
        return [message["Body"] for message in answer.get("Messages", [])]

    def invoke(self, role: str, *events: Any) -> str:
        """One process; what it logged. Every event was done with, and nothing of the web was loaded."""
        done = subprocess.run(
            [sys.executable, "-m", "tests.functions.invoke_batches", role],
            cwd=ROOT,
            env=self.environment,
            input="".join(json.dumps(each) + "\n" for each in events),
            capture_output=True,
            text=True,
            timeout=120,
            check=True,
        )
        assert json.loads(done.stderr.splitlines()[-1]) == {"answers": [failures()] * len(events), "web": []}
        return done.stdout


@pytest.fixture
def deployed() -> Iterator[Deployed]:
    local_aws = aws.start()
    yield Deployed(local_aws)
    local_aws.stop()


def test_a_file_goes_through_the_three_real_handlers(deployed: Deployed) -> None:
    """From S3's own message to the results; each function's environment is enough for it, and no text is logged."""
    params = {"model": "no-such-model", "max_tokens": 5, "messages": [{"role": "user", "content": CANARY}]}
    line = json.dumps({"custom_id": "a", "params": params}).encode()
    deployed.s3.put_object(Bucket=aws.BUCKET, Key=KEY, Body=line)

    logged = deployed.invoke("intake", from_queue(*deployed.messages("intake")))
    logged += deployed.invoke("worker", from_queue(*deployed.messages("work")))
    logged += deployed.invoke("finisher", from_queue(*deployed.messages("finish")))

    written = {item["Key"] for item in deployed.s3.list_objects_v2(Bucket=aws.BUCKET, Prefix="results/")["Contents"]}
    (batch_id,) = {key.split("/")[1] for key in written}
    assert written == {f"results/{batch_id}/{name}" for name in ("results.jsonl", "errors.jsonl", "manifest.json")}
    results = deployed.s3.get_object(Bucket=aws.BUCKET, Key=f"results/{batch_id}/results.jsonl")["Body"].read()
    result = json.loads(results)
    assert (result["custom_id"], result["result"]["error"]["error"]["type"]) == ("a", "not_found_error")
    events = [json.loads(each)["event"] for each in logged.splitlines()]
    assert events[0] == "intake"
    assert events[-1] == "batch_ended"
    assert CANARY not in logged

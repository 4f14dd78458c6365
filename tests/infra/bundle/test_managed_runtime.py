"""The bundle's handlers under AWS's own runtime for Python, with events as AWS sends them, over the local AWS."""

import json
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from importlib.metadata import distribution
from pathlib import Path
from signal import SIGTERM
from typing import Any

import pytest

from infra.function_specs import API, FINISHER, INTAKE, MESSAGES, WORKER, FunctionSpec
from megallm.local import aws
from megallm.local.isolation import local_target
from megallm.operations.manage_keys import create_key
from megallm.stores.keys import DynamoKeys
from tests.functions.api.gateway_events import KINDS, Kind, body_of, event
from tests.functions.batch_events import SCHEDULED, TEST_EVENT, failures, from_queue, s3_body
from tests.functions.streaming.running import Lambda, environment
from tests.functions.streaming.runtime_api import INVOCATION
from tests.infra.bundle.unpacked import Unpacked
from tests.infra.deployed.upstream import WORDS, upstream

pytestmark = pytest.mark.slow

Json = Any  # events and answers of AWS's making

# The runtime, and what it needs itself.
_RUNTIME = ("awslambdaric", "simplejson", "snapshot-restore-py")
MODEL = "stub-model"
CATALOG = """
[providers.stub]
kind = "openai"
base_url = "{url}"

[[models]]
id = "{model}"
display_name = "Stub"
context_tokens = 200000
max_output_tokens = 64000
routes = [{{ provider = "stub", model = "stub-1" }}]
"""
QUESTION = {"model": MODEL, "max_tokens": 20, "messages": [{"role": "user", "content": "How is it?"}]}
# A new object as S3 tells of it, but for all that we read.
BROKEN = json.dumps({"Records": [{"eventSource": "aws:s3", "eventName": "ObjectCreated:Put"}]})
NO_POINTER = "this is no pointer"


@dataclass(frozen=True, slots=True)
class Account:
    """What the functions have around them: tables, a bucket, queues, a model, and a key that opens it."""

    s3: Any
    sqs: Any
    queues: dict[str, str]
    settings: dict[str, str]
    key: str

    def messages(self, role: str) -> list[str]:
        """The bodies in a queue, which are then taken."""
        answer = self.sqs.receive_message(QueueUrl=self.queues[role], MaxNumberOfMessages=10)
        return [message["Body"] for message in answer.get("Messages", [])]

    def drop(self, key: str, body: bytes) -> str:
        """S3's message of a new object."""
        version = self.s3.put_object(Bucket=aws.BUCKET, Key=key, Body=body)["VersionId"]
        return s3_body(key, bucket=aws.BUCKET, versions=[version])

    def results(self) -> dict[str, bytes]:
        """All result files by their names."""
        listed = self.s3.list_objects_v2(Bucket=aws.BUCKET, Prefix="results/").get("Contents", [])
        return {
            item["Key"].rpartition("/")[2]: self.s3.get_object(Bucket=aws.BUCKET, Key=item["Key"])["Body"].read()
            for item in listed
        }


@pytest.fixture
def account(tmp_path: Path) -> Iterator[Account]:
    local_aws = aws.start()
    with upstream() as url:
        catalog = tmp_path / "catalog.toml"
        catalog.write_text(CATALOG.format(url=url, model=MODEL))
        resources = local_aws.create_resources(keys_table="k", limits_table="l", batches_table="b")
        target = local_target(local_aws.endpoint_url)
        keys = DynamoKeys(target.dynamodb(), "k")
        key, _ = create_key(keys, name="test", tier="basic", expires_at=None, clock=lambda: 1_800_000_000.0)
        settings = {
            "AWS_ENDPOINT_URL": local_aws.endpoint_url,
            "MEGALLM_CATALOG": str(catalog),
            "MEGALLM_KEYS_TABLE": "k",
            "MEGALLM_LIMITS_TABLE": "l",
            "MEGALLM_BATCHES_TABLE": "b",
            "MEGALLM_BATCHES_BUCKET": resources.bucket,
            **{f"MEGALLM_{role.upper()}_QUEUE_URL": url for role, url in resources.queues.items()},
        }
        yield Account(target.s3(), target.sqs(), resources.queues, settings, key)
    local_aws.stop()


@pytest.fixture(scope="session")
def runtime(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What Lambda has in /var/runtime, with nothing else of this environment."""
    folder = tmp_path_factory.mktemp("runtime")
    for name in _RUNTIME:
        found = distribution(name)
        for top in {path.parts[0] for path in found.files or ()} - {"__pycache__"}:
            (folder / top).symlink_to(Path(str(found.locate_file(top))))
    return folder


Invoke = Callable[[Json], Json]
Start = Callable[[FunctionSpec], AbstractContextManager[Invoke]]


@pytest.fixture
def start(account: Account, unpacked: Unpacked, runtime: Path) -> Start:
    """Starts a function, and gives what asks it: -S keeps this environment's packages out."""

    @contextmanager
    def started(spec: FunctionSpec) -> Iterator[Invoke]:
        environ = environment(
            **account.settings,
            AWS_LAMBDA_FUNCTION_NAME=f"megallm-{spec.role}",
            LAMBDA_TASK_ROOT=str(unpacked.task),
            PYTHONPATH=os.pathsep.join(str(path) for path in (unpacked.task, unpacked.layer, runtime)),
            PYTHONDONTWRITEBYTECODE="1",
        )
        command = [sys.executable, "-S", "-m", "awslambdaric", spec.handler]
        with Lambda(command, environ, unpacked.task) as function:

            def invoke(happening: Json) -> Json:
                exchange = function.call(lambda: function.api.invoke(happening))
                function.wait(exchange.end())
                assert exchange.post is not None
                assert exchange.post.line == f"POST {INVOCATION}/{exchange.request_id}/response HTTP/1.1"
                return json.loads(exchange.post.body)

            yield invoke
            assert (function.end(SIGTERM), function.errors) == (-SIGTERM, "")

    return started


@pytest.mark.parametrize("spec", [API, MESSAGES], ids=lambda spec: spec.role)
def test_a_message_and_a_batch_come_in_by_api_gateway(account: Account, start: Start, spec: FunctionSpec) -> None:
    """By both kinds of its events; a batch's work is in the queue then."""
    headers = {"x-api-key": account.key}
    batch = json.dumps({"requests": [{"custom_id": "only", "params": QUESTION}]}).encode()

    def body(kind: Kind) -> bytes:
        return json.dumps({**QUESTION, "stream": kind == "http_v2"}).encode()

    with start(spec) as invoke:
        told = [invoke(event(kind, body=body(kind), headers=headers)) for kind in KINDS]
        refused = invoke(event("rest_v1", "GET", "/v1/models", headers={"x-api-key": "mega_abcdefgh_x"}))
        made = invoke(event("rest_v1", path="/v1/messages/batches", body=batch, headers=headers))

    assert [answer["statusCode"] for answer in (*told, refused, made)] == [200, 200, 401, 200]
    assert json.loads(body_of(told[0]))["content"] == [{"type": "text", "text": WORDS}]
    assert body_of(told[1]).endswith(b'event: message_stop\ndata: {"type":"message_stop"}\n\n')
    (pointer,) = account.messages("work")
    assert json.loads(body_of(made))["id"] in pointer


def test_a_file_becomes_results_by_the_events_of_s3_sqs_and_the_schedule(account: Account, start: Start) -> None:
    """Each handler tells which records of its event must come again; the schedule has what was lost sent anew."""
    lines = [{"custom_id": "a", "params": QUESTION}, {"custom_id": "b", "params": {**QUESTION, "model": "no-such"}}]
    dropped = account.drop(
        "inbox/messages/two lines+ö.jsonl", b"".join(json.dumps(line).encode() + b"\n" for line in lines)
    )

    with start(INTAKE) as intake:
        tested = intake(from_queue(TEST_EVENT))
        taken_in = intake(from_queue(BROKEN, dropped))
    work = account.messages("work")
    with start(WORKER) as worker:
        worked = worker(from_queue(*work, NO_POINTER))
    lost = account.messages("finish")
    with start(FINISHER) as finisher:
        ticked = finisher(SCHEDULED)
        again = account.messages("finish")
        finished = finisher(from_queue(NO_POINTER, *again))

    assert (tested, taken_in, worked) == (failures(), failures("id-1"), failures("id-2"))
    assert (ticked, again, finished) == ({}, lost, failures("id-1"))
    files = account.results()
    assert set(files) == {"results.jsonl", "errors.jsonl", "manifest.json"}
    answered, refused = (json.loads(line) for line in files["results.jsonl"].splitlines())
    assert (answered["custom_id"], answered["result"]["type"]) == ("a", "succeeded")
    assert answered["result"]["message"]["content"] == [{"type": "text", "text": WORDS}]
    assert (refused["custom_id"], refused["result"]["type"]) == ("b", "errored")
    assert refused["result"]["error"]["error"] == {
        "type": "not_found_error",
        "message": "model: no-such",
        "param": "model",
    }
    assert json.loads(files["errors.jsonl"]) == {
        "custom_id": "b",
        "record": 2,
        "error": {"code": "not_found_error", "message": "model: no-such", "attempts": 0, "fault": "customer"},
        "item": lines[1],
    }
    manifest = json.loads(files["manifest.json"])
    assert manifest["input"]["name"] == "two lines+ö.jsonl"
    assert manifest["counts"] == {"total": 2, "succeeded": 1, "errored": 1, "canceled": 0, "expired": 0}

"""The whole stack, deployed: its API, its queues, its functions from the real bundle, up to a stub upstream."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack
from typing import Any

import anthropic
import httpx
import pytest

from infra.grants import GRANTS
from tests.infra.bundle.unpacked import native_architecture
from tests.infra.deployed import emulator
from tests.infra.deployed.assembly import synthesize
from tests.infra.deployed.deployment import Deployed, deploy
from tests.infra.deployed.messages_function import serving
from tests.infra.deployed.recorder import Seen, recording
from tests.infra.deployed.upstream import WORDS, upstream
from tests.infra.synthesis import ROOT
from tests.telemetry.extraction import metrics_in, summed

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not emulator.PYTHON.is_file(), reason="`make test` makes .venv-ministack"),
]

_SECONDS = 90.0

CATALOG = """
[providers.stub]
kind = "openai"
base_url = "{url}"

[[models]]
id = "claude-haiku-4-5"
display_name = "Stub"
aliases = ["claude-3.5-sonnet"]
context_tokens = 200000
max_output_tokens = 64000
prices = {{ input = 1.0, output = 5.0 }}
routes = [{{ provider = "stub", model = "stub-1" }}]
"""


@pytest.fixture(scope="module")
def seen() -> dict[str, Seen]:
    """What each function has asked of AWS."""
    return {role: set() for role in GRANTS}


@pytest.fixture(scope="module")
def deployed(tmp_path_factory: pytest.TempPathFactory, seen: dict[str, Seen]) -> Iterator[Deployed]:
    """Without streaming: the emulator has no such integration."""
    folder = tmp_path_factory.mktemp("deployed")
    with upstream() as url:
        catalog = folder / "catalog.toml"
        catalog.write_text(CATALOG.format(url=url))
        context = {"streaming": "off", "catalog": str(catalog), "architecture": native_architecture()}
        assembly = synthesize(folder, context)
        with emulator.running(folder) as aws, ExitStack() as recorders:
            found = deploy(aws, assembly, "megallm")
            for role in seen.keys() - {"messages"}:
                recorder = recorders.enter_context(_recording(found, seen[role]))
                found.set_variable(f"megallm-{role}", "AWS_ENDPOINT_URL", recorder)
            yield found


def _recording(deployed: Deployed, seen: Seen) -> AbstractContextManager[str]:
    bucket = deployed.outputs["Bucket"]
    return recording(deployed.emulator.endpoint_url, prefix="megallm", bucket=bucket, seen=seen)


@pytest.fixture(scope="module")
def client(deployed: Deployed) -> Iterator[anthropic.Anthropic]:
    """The official SDK, with a key that the command has made."""
    key = _megallm(deployed, "keys", "create", "--name", "test", "--tier", "pro").strip()
    with anthropic.Anthropic(base_url=deployed.base_url, api_key=key, max_retries=0, timeout=60) as opened:
        yield opened


def _megallm(deployed: Deployed, *arguments: str) -> str:
    """What the command prints, with ordinary credentials."""
    command = [sys.executable, "-m", "megallm", *arguments]
    command += ["--region", emulator.REGION, "--endpoint-url", deployed.emulator.endpoint_url]
    environment = {"PATH": os.environ["PATH"], "HOME": str(ROOT), **deployed.emulator.environment()}
    ended = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stderr
    return ended.stdout


@pytest.fixture(scope="module")
def streaming_client(
    deployed: Deployed, seen: dict[str, Seen], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[anthropic.Anthropic]:
    """The SDK at the function that streams, with a key that no function has seen."""
    key = _megallm(deployed, "keys", "create", "--name", "streaming").strip()
    folder = tmp_path_factory.mktemp("messages")
    with _recording(deployed, seen["messages"]) as aws, serving(deployed, folder, aws) as url:
        yield anthropic.Anthropic(base_url=url, api_key=key, max_retries=0, timeout=60)


def _until(what: Callable[[], Any], deployed: Deployed) -> Any:
    """What it gives once it gives something; the emulator's log where it never does."""
    end = time.monotonic() + _SECONDS
    while not (found := what()):
        assert time.monotonic() < end, deployed.emulator.log.read_text()[-20_000:]
        time.sleep(0.5)
    return found


def test_a_message_goes_through_the_api_the_function_and_the_tables(client: anthropic.Anthropic) -> None:
    """From the SDK by way of API Gateway, Mangum and DynamoDB to the upstream, and back."""
    message = client.messages.create(
        model="claude-haiku-4-5", max_tokens=100, messages=[{"role": "user", "content": "How is it?"}]
    )

    assert [(block.type, getattr(block, "text", None)) for block in message.content] == [("text", WORDS)]
    assert (message.stop_reason, message.usage.input_tokens, message.usage.output_tokens) == ("end_turn", 7, 4)


def test_a_call_is_counted_in_the_deployed_table(deployed: Deployed, client: anthropic.Anthropic) -> None:
    """The limiter's item is there, and its time to live with it."""
    client.messages.create(model="claude-haiku-4-5", max_tokens=10, messages=[{"role": "user", "content": "Hi"}])

    items = deployed.emulator.client("dynamodb").scan(TableName="megallm-limits")["Items"]
    assert items != []
    assert all("ttl" in item for item in items)


def test_usage_and_batches_are_shown_by_where_the_stack_is(deployed: Deployed, client: anthropic.Anthropic) -> None:
    """The tables by their names, the bucket by the stack's outputs; the catalogue has the prices."""
    client.messages.create(model="claude-haiku-4-5", max_tokens=10, messages=[{"role": "user", "content": "Hi"}])

    usage = json.loads(_megallm(deployed, "usage", "--json"))
    batches = json.loads(_megallm(deployed, "batch", "list", "--json"))

    (messages,) = (key["messages"] for key in usage["keys"] if key["name"] == "test")
    calls = messages["requests"]
    assert calls > 0
    assert (messages["input_tokens"], messages["output_tokens"]) == (7 * calls, 4 * calls)
    assert messages["cost_usd"] == pytest.approx(calls * (7 * 1.0 + 4 * 5.0) / 1e6)
    assert isinstance(batches, list)


def test_a_wrong_key_is_refused_in_the_documented_shape(deployed: Deployed) -> None:
    """By the function, from the deployed table."""
    client = anthropic.Anthropic(base_url=deployed.base_url, api_key="mega_abcdefgh_x", max_retries=0, timeout=60)

    with pytest.raises(anthropic.AuthenticationError) as caught:
        client.models.list()

    assert caught.value.body is not None
    assert json.loads(json.dumps(caught.value.body))["error"]["type"] == "authentication_error"


def test_a_batch_over_https_ends_with_its_results(deployed: Deployed, client: anthropic.Anthropic) -> None:
    """Submitted, indexed, worked on by way of the queue, put together, and read by the key that made it."""
    params = {"model": "claude-haiku-4-5", "max_tokens": 50, "messages": [{"role": "user", "content": "Hi"}]}
    requests: Any = [{"custom_id": f"item-{number}", "params": params} for number in range(3)]

    batch = client.messages.batches.create(requests=requests)
    ended = _until(lambda: _if_ended(client, batch.id), deployed)

    assert ended.request_counts.succeeded == 3
    path = f"{deployed.base_url}/v1/messages/batches/{batch.id}/results"
    results = httpx.get(path, headers={"x-api-key": str(client.api_key)}, timeout=60)
    lines = [json.loads(line) for line in results.text.splitlines()]
    assert [(line["custom_id"], line["result"]["type"]) for line in lines] == [
        (f"item-{number}", "succeeded") for number in range(3)
    ]
    assert {line["result"]["message"]["content"][0]["text"] for line in lines} == {WORDS}
    calls = ("Requests", ("claude-haiku-4-5", "batch", "pro"))
    _until(lambda: summed(metrics_in(_logged(deployed))).get(calls, 0) >= 3, deployed)


def _logged(deployed: Deployed) -> str:
    """The lines of the functions that queues and the schedule call; the emulator's own are no JSON."""
    text = deployed.emulator.log.read_text()
    return "\n".join(line for line in text.splitlines() if line.startswith("{") and line.endswith("}"))


def test_messages_and_results_stream_from_the_deployed_tables(
    deployed: Deployed, streaming_client: anthropic.Anthropic
) -> None:
    """By the bundle's streaming entry, as `streaming=runtime` deploys it."""
    params: Any = {"model": "claude-haiku-4-5", "max_tokens": 50, "messages": [{"role": "user", "content": "Hi"}]}
    buffered = streaming_client.with_options(base_url=deployed.base_url)

    with streaming_client.messages.stream(**params) as stream:
        said = stream.get_final_text()
    batch = buffered.messages.batches.create(requests=[{"custom_id": "only", "params": params}])
    _until(lambda: _if_ended(buffered, batch.id), deployed)
    path = f"{str(streaming_client.base_url).rstrip('/')}/v1/messages/batches/{batch.id}/results"
    results = httpx.get(path, headers={"x-api-key": str(streaming_client.api_key)}, timeout=60)

    assert said == WORDS
    assert [json.loads(line)["result"]["type"] for line in results.text.splitlines()] == ["succeeded"]


def test_the_command_finds_the_stack_and_tells_that_it_does_not_stream(
    deployed: Deployed, client: anthropic.Anthropic
) -> None:
    """By its outputs; and by an answer that API Gateway sends in one piece, as this stack was told to."""
    found = _megallm(deployed, "connect", "--no-message").splitlines()
    key = ["--key", str(client.api_key)]
    command = [sys.executable, "-m", "megallm", "connect", "--url", deployed.base_url, *key, "--json"]
    ended = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)

    assert found[:2] == [f"Gateway  {deployed.outputs['Endpoint'].rstrip('/')}", "Setting  streaming=off"]
    message = json.loads(ended.stdout)["message"]
    assert (message["delivery"], message["text"], ended.returncode) == ("buffered", WORDS, 6), ended.stderr


def test_a_batch_can_be_listed_canceled_and_deleted(deployed: Deployed, client: anthropic.Anthropic) -> None:
    """Nothing of it is left in the bucket."""
    params = {"model": "claude-haiku-4-5", "max_tokens": 50, "messages": [{"role": "user", "content": "Hi"}]}
    requests: Any = [{"custom_id": "only", "params": params}]
    batch = client.messages.batches.create(requests=requests)

    listed = [each.id for each in client.messages.batches.list()]
    client.messages.batches.cancel(batch.id)
    _until(lambda: _if_ended(client, batch.id), deployed)
    client.messages.batches.delete(batch.id)

    assert listed[0] == batch.id
    with pytest.raises(anthropic.NotFoundError):
        client.messages.batches.retrieve(batch.id)
    left = _keys(deployed.emulator.client("s3"), deployed.outputs["Bucket"], f"results/{batch.id}/")
    assert left == []


def _if_ended(client: anthropic.Anthropic, batch_id: str) -> Any:  # Any: the SDK's batch
    batch = client.messages.batches.retrieve(batch_id)
    return batch if batch.processing_status == "ended" else None


@pytest.mark.parametrize("folder", ["", "keys/{key_id}/"])
def test_a_dropped_file_comes_out_as_results(deployed: Deployed, client: anthropic.Anthropic, folder: str) -> None:
    """Through S3's event, the queues and their event source mappings; for the operator, and for a key."""
    key_id = str(client.api_key).split("_")[1]
    s3 = deployed.emulator.client("s3")
    bucket = deployed.outputs["Bucket"]
    before = set(_keys(s3, bucket, "results/"))
    name = f"inbox/{folder.format(key_id=key_id)}summarize/paragraph/report.txt"
    s3.put_object(Bucket=bucket, Key=name, Body=b"A report about cats. " * 30)

    def new_manifest() -> str | None:
        keys = set(_keys(s3, bucket, "results/")) - before
        return next((key for key in keys if key.endswith("/manifest.json")), None)

    manifest_key = _until(new_manifest, deployed)
    manifest = json.loads(s3.get_object(Bucket=bucket, Key=manifest_key)["Body"].read())
    results = s3.get_object(Bucket=bucket, Key=manifest_key.replace("manifest.json", "results.jsonl"))["Body"].read()
    assert manifest["counts"]["succeeded"] == 1, results
    assert WORDS in results.decode()


def _keys(s3: Any, bucket: str, prefix: str) -> list[str]:
    return [each["Key"] for each in s3.list_objects_v2(Bucket=bucket, Prefix=prefix).get("Contents", [])]


@pytest.mark.parametrize("role", ["work", "finish"])
def test_poison_ends_among_the_dead_letters(deployed: Deployed, role: str) -> None:
    """After five tries, for which the queue is made impatient; in the account each takes an hour and a half."""
    sqs = deployed.emulator.client("sqs")
    url = sqs.get_queue_url(QueueName=f"megallm-{role}")["QueueUrl"]
    dead = sqs.get_queue_url(QueueName=f"megallm-{role}-dead")["QueueUrl"]
    sqs.set_queue_attributes(QueueUrl=url, Attributes={"VisibilityTimeout": "1"})

    sqs.send_message(QueueUrl=url, MessageBody="this is no pointer")
    letters = _until(lambda: sqs.receive_message(QueueUrl=dead, WaitTimeSeconds=1).get("Messages"), deployed)

    assert [letter["Body"] for letter in letters] == ["this is no pointer"]


_NO_SUCH_UPSTREAM = "the upstream here is neither Bedrock, nor has it a key"
_HALF_WAY = "an upload that fails half way is thrown away"
_NOT_THERE = "whether an object is there at all"
_GOES_ON = "goes on with what a crash has left behind"
_REFUSED = "an input that cannot be read at all ends its batch"
# What a role may do although nothing above makes its function do it, and what for.
_BESIDES: dict[tuple[str, str], str] = {
    ("models", "bedrock:CountTokens"): _NO_SUCH_UPSTREAM,
    ("models", "bedrock:InvokeModel"): _NO_SUCH_UPSTREAM,
    ("models", "bedrock:InvokeModelWithResponseStream"): _NO_SUCH_UPSTREAM,
    ("secrets", "secretsmanager:GetSecretValue"): _NO_SUCH_UPSTREAM,
    ("parameters", "ssm:GetParameter"): _NO_SUCH_UPSTREAM,
    ("objects", "s3:AbortMultipartUpload"): _HALF_WAY,
    ("objects", "s3:GetObject"): "an input that came without its version",
    ("objects", "s3:GetObjectVersion"): "an input that came with its version",
    ("bucket", "s3:ListBucket"): _NOT_THERE,
    ("batches", "dynamodb:DeleteItem"): _REFUSED,
    ("bus", "events:PutEvents"): _REFUSED,
    ("batches", "dynamodb:BatchGetItem"): _GOES_ON,
    ("batches", "dynamodb:PutItem"): _GOES_ON,
    ("batches", "dynamodb:ConditionCheckItem"): _GOES_ON,
    ("keys", "dynamodb:GetItem"): _GOES_ON,
    ("work-queue", "sqs:SendMessage"): _GOES_ON,
    ("finish-queue", "sqs:SendMessage"): _GOES_ON,
    ("intake-queue", "sqs:ChangeMessageVisibility"): "what could not be taken in comes again soon",
}


@pytest.mark.usefixtures("client", "streaming_client")
def test_each_role_allows_what_its_function_does_and_little_else(deployed: Deployed, seen: dict[str, Seen]) -> None:
    """The emulator allows everything; the account refuses what is not granted."""
    _until(lambda: all(seen.values()), deployed)

    granted = {
        role: {(resource, action) for resource, actions in grants.items() for action in actions}
        for role, grants in GRANTS.items()
    }
    refused = {role: sorted(actions - granted[role]) for role, actions in seen.items() if actions - granted[role]}
    unused = {role: granted[role] - actions - set(_BESIDES) for role, actions in seen.items()}
    assert refused == {}
    assert {role: sorted(actions) for role, actions in unused.items() if actions} == {}

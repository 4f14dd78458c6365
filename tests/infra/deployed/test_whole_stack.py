"""The whole stack, deployed: its API, its queues, its functions from the real bundle, up to a stub upstream."""

import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack
from typing import Any

import anthropic
import pytest

from infra.grants import GRANTS
from tests.infra.bundle.unpacked import native_architecture
from tests.infra.deployed import emulator
from tests.infra.deployed.assembly import synthesize
from tests.infra.deployed.command import megallm
from tests.infra.deployed.deployment import Deployed, deploy
from tests.infra.deployed.messages_function import serving
from tests.infra.deployed.not_called import NOT_CALLED
from tests.infra.deployed.recorder import Seen, recording
from tests.infra.deployed.sdk import answers, sdk
from tests.infra.deployed.upstream import WORDS, upstream
from tests.infra.synthesis import ROOT
from tests.telemetry.extraction import metrics_in, summed

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not emulator.PYTHON.is_file(), reason="`make test` makes .venv-ministack"),
]

_SECONDS = 180.0

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
    key = megallm(deployed, "keys", "create", "--name", "test", "--tier", "pro").strip()
    with sdk(deployed, key, base_url=deployed.base_url) as opened:
        yield opened


@pytest.fixture(scope="module")
def streaming_client(
    deployed: Deployed, seen: dict[str, Seen], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[anthropic.Anthropic]:
    """The SDK at the function that streams, with a key that no function has seen."""
    key = megallm(deployed, "keys", "create", "--name", "streaming").strip()
    folder = tmp_path_factory.mktemp("messages")
    with (
        _recording(deployed, seen["messages"]) as aws,
        serving(deployed, folder, aws) as url,
        sdk(deployed, key, base_url=url) as opened,
    ):
        yield opened


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
    params: Any = {"model": "claude-haiku-4-5", "max_tokens": 10, "messages": [{"role": "user", "content": "Hi"}]}
    client.messages.create(**params)
    batch = client.messages.batches.create(requests=[{"custom_id": "only", "params": params}])
    _until(lambda: _if_ended(client, batch.id), deployed)

    usage = json.loads(megallm(deployed, "usage", "--json"))
    batches = json.loads(megallm(deployed, "batch", "list", "--json"))

    (messages,) = (key["messages"] for key in usage["keys"] if key["name"] == "test")
    calls = messages["requests"]
    assert calls > 0
    assert (messages["input_tokens"], messages["output_tokens"]) == (7 * calls, 4 * calls)
    assert messages["cost_usd"] == pytest.approx(calls * (7 * 1.0 + 4 * 5.0) / 1e6)
    (listed,) = (each for each in batches if each["id"] == batch.id)
    assert (listed["owner"], listed["state"], listed["counts"]["succeeded"]) == (_id_of(client), "ended", 1)


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
    assert answers(client.messages.batches.results(batch.id)) == [(f"item-{number}", WORDS) for number in range(3)]
    calls = ("Requests", ("claude-haiku-4-5", "batch", "pro"))
    _until(lambda: summed(metrics_in(deployed.logged())).get(calls, 0) >= 3, deployed)


def test_messages_and_results_stream_from_the_deployed_tables(
    deployed: Deployed, streaming_client: anthropic.Anthropic
) -> None:
    """By the bundle's streaming entry, as `streaming=runtime` deploys it."""
    params: Any = {"model": "claude-haiku-4-5", "max_tokens": 50, "messages": [{"role": "user", "content": "Hi"}]}
    # API Gateway has the streaming entry for messages and results alone.
    buffered = streaming_client.with_options(base_url=deployed.base_url)

    with streaming_client.messages.stream(**params) as stream:
        said = stream.get_final_text()
    batch = buffered.messages.batches.create(requests=[{"custom_id": "only", "params": params}])
    _until(lambda: _if_ended(buffered, batch.id), deployed)
    results = answers(buffered.messages.batches.results(batch.id))

    assert said == WORDS
    assert results == [("only", WORDS)]


def test_the_command_finds_the_stack_and_tells_that_it_does_not_stream(
    deployed: Deployed, client: anthropic.Anthropic
) -> None:
    """By its outputs; and by an answer that API Gateway sends in one piece, as this stack was told to."""
    found = megallm(deployed, "connect", "--no-message").splitlines()
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
    assert deployed.keys(f"results/{batch.id}/") == []


def _if_ended(client: anthropic.Anthropic, batch_id: str) -> Any:  # Any: the SDK's batch
    batch = client.messages.batches.retrieve(batch_id)
    return batch if batch.processing_status == "ended" else None


@pytest.mark.parametrize("folder", ["", "keys/{key_id}/"])
def test_a_dropped_file_comes_out_as_results(deployed: Deployed, client: anthropic.Anthropic, folder: str) -> None:
    """Through S3's event, the queues and their event source mappings; for the operator, and for a key."""
    name = f"inbox/{folder.format(key_id=_id_of(client))}summarize/paragraph/report.txt"
    before = deployed.keys("results/")

    s3 = deployed.emulator.client("s3")
    s3.put_object(Bucket=deployed.outputs["Bucket"], Key=name, Body=b"A report about cats. " * 30)

    _comes_out(deployed, before)


def test_a_job_message_comes_out_as_results(deployed: Deployed) -> None:
    """Sent to the queue that the stack's outputs name."""
    job = {"version": 1, "task": "summarize", "items": [{"custom_id": "a", "text": "A report about cats. " * 30}]}
    before = deployed.keys("results/")

    sqs = deployed.emulator.client("sqs")
    sqs.send_message(QueueUrl=deployed.outputs["IntakeQueue"], MessageBody=json.dumps(job))

    _comes_out(deployed, before)


def _comes_out(deployed: Deployed, before: list[str]) -> None:
    """A batch of one item, whose files are not among those before."""

    def manifests() -> list[str]:
        return [key for key in deployed.keys("results/") if key.endswith("/manifest.json") and key not in before]

    (manifest,) = _until(manifests, deployed)
    results = deployed.read(manifest.replace("manifest.json", "results.jsonl")).decode()
    assert json.loads(deployed.read(manifest))["counts"]["succeeded"] == 1, results
    assert WORDS in results


def _id_of(client: anthropic.Anthropic) -> str:
    """Its key's id, by which the key owns batches."""
    return str(client.api_key).split("_")[1]


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


@pytest.mark.usefixtures("client", "streaming_client")
def test_each_role_allows_what_its_function_does_and_little_else(deployed: Deployed, seen: dict[str, Seen]) -> None:
    """The emulator allows everything; the account refuses what is not granted."""
    granted = {
        role: {(resource, action) for resource, actions in grants.items() for action in actions}
        for role, grants in GRANTS.items()
    }

    def unused() -> dict[str, list[tuple[str, str]]]:
        left = {role: sorted(granted[role] - actions - NOT_CALLED[role].keys()) for role, actions in seen.items()}
        return {role: actions for role, actions in left.items() if actions}

    end = time.monotonic() + _SECONDS
    while unused() and time.monotonic() < end:  # the schedule's functions come when it is time for them
        time.sleep(0.5)

    assert {role: sorted(actions - granted[role]) for role, actions in seen.items() if actions - granted[role]} == {}
    assert unused() == {}
    assert {role: sorted(NOT_CALLED[role].keys() - granted[role]) for role in granted} == {role: [] for role in granted}

"""Files dropped into the local inbox, and jobs: worked on by the real handlers, their results on the disk."""

import asyncio
import io
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from megallm.composition import compose
from megallm.composition.batches import compose_batches
from megallm.local import aws
from megallm.local.batches import LocalBatches
from megallm.local.isolation import local_target
from megallm.messages.calls import Call
from megallm.messages.requests import MessagesRequest
from megallm.operations.batch_ports import BatchPorts
from megallm.operations.gateway import Gateway
from megallm.settings import Settings
from tests.fakes import ScriptedProvider, Step, catalog, text_reply

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

pytestmark = pytest.mark.slow

SECONDS = 120.0


def echo(call: Call[MessagesRequest]) -> list[Step]:
    """Says how long the last turn was: short, and different from item to item."""
    (last,) = call.request.messages[-1:]
    return list(text_reply(f"{len(str(last.content))} letters"))


@dataclass
class Stack:
    """What a running local stack has for batches."""

    gateway: Gateway
    ports: BatchPorts
    s3: "S3Client"
    folder: Path

    async def dropped(self, key: str, body: bytes, **options: Any) -> None:
        await asyncio.to_thread(self.s3.put_object, Bucket=aws.BUCKET, Key=key, Body=body, **options)

    async def results(self, count: int = 1) -> list[Path]:
        """The folders of batches that have ended, once there are so many."""
        async with asyncio.timeout(SECONDS):
            while len(found := sorted(self.folder.glob("*/manifest.json"))) < count:  # noqa: ASYNC110  it is a folder
                await asyncio.sleep(0.05)
        return [path.parent for path in found]


@pytest.fixture
def local_aws() -> Iterator[aws.LocalAws]:
    running = aws.start()
    yield running
    running.stop()


@asynccontextmanager
async def stack(local_aws: aws.LocalAws, folder: Path, provider: ScriptedProvider) -> AsyncIterator[Stack]:
    resources = local_aws.create_resources()
    target = local_target(local_aws.endpoint_url)
    urls: dict[str, Any] = {f"{role}_queue_url": url for role, url in resources.queues.items()}
    settings = Settings(catalog="aws", batches_bucket=resources.bucket, **urls)
    composed = replace(compose(settings, target), catalog=catalog(), providers={"scripted": provider})
    batches = LocalBatches(compose_batches(settings, target, composed), target, resources.queues, folder)
    assert composed.batches is not None
    async with batches.running():
        yield Stack(composed, composed.batches, target.s3(), folder)
    await composed.aclose()


def run(
    local_aws: aws.LocalAws, folder: Path, work: Callable[[Stack], Awaitable[None]], provider: ScriptedProvider | None
) -> None:
    async def run_all() -> None:
        async with stack(local_aws, folder, provider or ScriptedProvider(echo)) as running:
            await work(running)

    asyncio.run(run_all())


def lines_of(path: Path) -> list[Any]:
    return [json.loads(line) for line in path.read_bytes().splitlines()]


def request_line(custom_id: str, text: str) -> bytes:
    params = {"model": "claude-test", "max_tokens": 20, "messages": [{"role": "user", "content": text}]}
    return json.dumps({"custom_id": custom_id, "params": params}).encode() + b"\n"


def test_a_dropped_file_becomes_results_on_the_disk(local_aws: aws.LocalAws, tmp_path: Path) -> None:
    """Its name needs encoding; its results come in its order, and the manifest adds up."""

    async def work(running: Stack) -> None:
        body = b"".join(request_line(f"id-{number}", "x" * number) for number in range(1, 251))
        await running.dropped("inbox/messages/my texts+ü.jsonl", body)
        (folder,) = await running.results()

        results = lines_of(folder / "results.jsonl")
        assert [line["custom_id"] for line in results] == [f"id-{number}" for number in range(1, 251)]
        assert {line["result"]["type"] for line in results} == {"succeeded"}
        assert (folder / "errors.jsonl").read_bytes() == b""
        batch = await asyncio.to_thread(running.ports.store.get, folder.name)
        assert batch is not None
        assert (batch.state, batch.total, batch.counts.succeeded, batch.source.name) == (
            "ended",
            250,
            250,
            "my texts+ü.jsonl",
        )

    run(local_aws, tmp_path / "results", work, None)


def test_the_same_file_dropped_again_is_another_batch(local_aws: aws.LocalAws, tmp_path: Path) -> None:
    """Its version is another one, as in S3; moto does not tell of it by itself."""

    async def work(running: Stack) -> None:
        for _ in range(2):
            await running.dropped("inbox/messages/a.jsonl", request_line("a", "Hello"))

        folders = await running.results(2)

        assert len({folder.name for folder in folders}) == 2

    run(local_aws, tmp_path / "results", work, None)


def test_what_cannot_be_worked_on_ends_with_its_problem(local_aws: aws.LocalAws, tmp_path: Path) -> None:
    """A folder of an unknown task, and a job message that is none; an S3 folder is nothing at all."""

    async def work(running: Stack) -> None:
        await running.dropped("inbox/", b"")
        await running.dropped("inbox/dance/", b"")
        await running.dropped("inbox/dance/a.jsonl", request_line("a", "Hello"))
        await asyncio.to_thread(running.ports.queues.send_job, '{"version": 1}')

        folders = await running.results(2)

        batches = [await asyncio.to_thread(running.ports.store.get, folder.name) for folder in folders]
        problems = sorted((batch.problem or "").partition(";")[0] for batch in batches if batch is not None)
        assert problems == ["'dance' is no task", "task: Field required"]

    run(local_aws, tmp_path / "results", work, None)


def test_a_job_message_with_its_items_in_it(local_aws: aws.LocalAws, tmp_path: Path) -> None:
    """Of a text task: its template makes the request."""

    async def work(running: Stack) -> None:
        job = {
            "version": 1,
            "task": "translate",
            "options": {"target_language_codes": ["de"], "model": "claude-test"},
            "items": [{"custom_id": "a", "text": "Good morning"}, {"custom_id": "b", "text": "Good night"}],
        }
        await asyncio.to_thread(running.ports.queues.send_job, json.dumps(job))
        (folder,) = await running.results()

        results = lines_of(folder / "results.jsonl")
        assert [(line["custom_id"], line["result"]["type"]) for line in results] == [
            ("a", "succeeded"),
            ("b", "succeeded"),
        ]

    run(local_aws, tmp_path / "results", work, None)


def test_a_message_that_fails_comes_again_soon(local_aws: aws.LocalAws, tmp_path: Path, lines: io.StringIO) -> None:
    """Not after the queue's quarter of an hour; the other messages go on meanwhile."""

    async def failures(count: int) -> None:
        async with asyncio.timeout(SECONDS):
            while lines.getvalue().count('"event":"part_failed"') < count:  # noqa: ASYNC110  it is a log
                await asyncio.sleep(0.1)

    async def work(running: Stack) -> None:
        sqs = local_target(local_aws.endpoint_url).sqs()
        url = sqs.get_queue_url(QueueName="megallm-work")["QueueUrl"]
        await asyncio.to_thread(sqs.send_message, QueueUrl=url, MessageBody="{}")
        await failures(1)
        await running.dropped("inbox/messages/a.jsonl", request_line("a", "Hello"))
        await running.results()
        await failures(2)

    run(local_aws, tmp_path / "results", work, None)

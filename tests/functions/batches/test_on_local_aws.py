"""The routes over the real stores and batch functions, on the local AWS."""

import json
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

import httpx
import pytest

from megallm.messages.calls import Call
from megallm.messages.requests import MessagesRequest
from tests.cli.batch_clone import BatchClone, batch_clone, said
from tests.contract.server import RunningServer
from tests.fakes import KEY, Pause, ScriptedProvider, Step, gateway, text_reply
from tests.functions.batches.talking import PATH

pytestmark = pytest.mark.slow

Json = Any  # what goes over the wire

PATIENCE_SECONDS = 180.0


@pytest.fixture(scope="module")
def clone(tmp_path_factory: pytest.TempPathFactory) -> Iterator[BatchClone]:
    with batch_clone(tmp_path_factory.mktemp("clone")) as opened:
        yield opened


@pytest.fixture
def client(clone: BatchClone) -> Iterator[httpx.Client]:
    composed = replace(gateway(settings=clone.settings), batches=clone.ports)
    with (
        RunningServer(composed) as server,
        httpx.Client(base_url=server.url, headers={"x-api-key": KEY}, timeout=PATIENCE_SECONDS) as opened,
    ):
        yield opened


def create(client: httpx.Client, count: int) -> str:
    """The id of a new batch of so many requests, each of which asks for its own number."""
    requests = [
        {
            "custom_id": f"item-{number}",
            "params": {
                "model": "claude-test",
                "max_tokens": 5,
                "messages": [{"role": "user", "content": str(number)}],
            },
        }
        for number in range(count)
    ]
    answer = client.post(PATH, json={"requests": requests})
    assert answer.status_code == 200, answer.text
    batch_id: str = answer.json()["id"]
    return batch_id


def wait(client: httpx.Client, batch_id: str) -> Json:
    """The batch, once it has ended."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while (batch := client.get(f"{PATH}/{batch_id}").json())["processing_status"] != "ended":
        assert time.monotonic() < deadline, batch
        time.sleep(0.1)
    return batch


def echo(call: Call[MessagesRequest]) -> Sequence[Step]:
    return text_reply(said(call))


def test_a_batch_lives_from_creation_to_deletion(clone: BatchClone, client: httpx.Client) -> None:
    """C42: over S3, DynamoDB and SQS as they are; in more than one part, and in order."""
    batch_id = create(client, 2500)
    with clone.working(ScriptedProvider(echo)):
        batch = wait(client, batch_id)
    results = [line["result"]["message"]["content"][0]["text"] for line in lines(client.get(batch["results_url"]))]
    listed = [each["id"] for each in client.get(PATH).json()["data"]]
    deleted = client.delete(f"{PATH}/{batch_id}")
    gone = client.get(f"{PATH}/{batch_id}")
    left = [key for prefix in ("results/", "work/") for key in clone.ports.objects.list(f"{prefix}{batch_id}")]

    assert batch["request_counts"] == {"processing": 0, "succeeded": 2500, "errored": 0, "canceled": 0, "expired": 0}
    assert results == [str(number) for number in range(2500)]
    assert listed == [batch_id]
    assert (deleted.json(), gone.status_code, left) == ({"id": batch_id, "type": "message_batch_deleted"}, 404, [])


def test_a_batch_is_canceled_while_it_runs(clone: BatchClone, client: httpx.Client) -> None:
    """C42: within seconds, though the model answers nothing."""
    provider = ScriptedProvider([Pause()])
    batch_id = create(client, 3)
    with clone.working(provider):
        while len(provider.calls) < 3:
            time.sleep(0.05)
        began = time.monotonic()
        client.post(f"{PATH}/{batch_id}/cancel")
        batch = wait(client, batch_id)
        took = time.monotonic() - began

    assert batch["request_counts"] == {"processing": 0, "succeeded": 0, "errored": 0, "canceled": 3, "expired": 0}
    assert [line["result"] for line in lines(client.get(batch["results_url"]))] == [{"type": "canceled"}] * 3
    assert (provider.cancelled, took < 30) == (3, True)


def test_a_list_is_read_in_pages(clone: BatchClone, client: httpx.Client) -> None:
    """C42: forwards and backwards, by the table's own order."""
    before = len(client.get(PATH).json()["data"])
    ids = [create(client, 1) for _ in range(4)][::-1]

    first = client.get(PATH, params={"limit": 3}).json()
    second = client.get(PATH, params={"limit": 3, "after_id": first["last_id"]}).json()
    back = client.get(PATH, params={"limit": 2, "before_id": ids[3]}).json()

    assert ([each["id"] for each in first["data"]], first["has_more"]) == (ids[:3], True)
    assert (second["first_id"], len(second["data"]), second["has_more"]) == (ids[3], min(3, 1 + before), 1 + before > 3)
    assert ([each["id"] for each in back["data"]], back["has_more"]) == (ids[1:3], True)


def lines(answer: httpx.Response) -> list[Json]:
    """The JSON lines of an answer."""
    assert answer.status_code == 200, answer.text
    return [json.loads(line) for line in answer.content.splitlines()]

"""How much is asked of DynamoDB and S3 for a batch, over the real stores: what docs/costs.md works with."""

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import pytest
from pydantic_core import from_json

from infra import costs
from megallm.batches.model import ITEMS_A_PART
from tests.batch_fakes import Process
from tests.operations.batches.deployed import Clients, Deployed, clients
from tests.operations.batches.harness import Scene, message_lines
from tests.operations.batches.upstream import Upstream

_PUTS = ("PutObject", "ListObjectsV2")  # as they are priced; to delete costs nothing
_GETS = ("GetObject", "HeadObject")
_READS = ("GetItem", "Query")  # a unit each: the records are far below 4 KB
_KNOWN = {*_PUTS, *_GETS, *_READS, "DeleteObjects", "UpdateItem", "TransactWriteItems"}


class Counted:
    """The calls of DynamoDB and S3. A write is a unit for each KB, and no record has more; in a transaction two."""

    def __init__(self, aws: Clients) -> None:
        self._calls: Counter[str] = Counter()
        self._in_transactions = 0
        for client in (aws.s3, aws.dynamodb):
            client.meta.events.register("before-call", self._count)

    def during(self, work: Callable[[Process], object]) -> costs.Asked:
        """What one process asks for while it does this."""
        self._calls, self._in_transactions = Counter(), 0
        work(Process())
        calls, transactions = self._calls, self._in_transactions
        assert calls.keys() <= _KNOWN
        return costs.Asked(
            writes=calls["UpdateItem"] + 2 * transactions,
            reads=sum(calls[name] for name in _READS),
            puts=sum(calls[name] for name in _PUTS),
            gets=sum(calls[name] for name in _GETS),
        )

    def _count(self, model: Any, params: dict[str, Any], **_: Any) -> None:  # Any: botocore's
        self._calls[model.name] += 1
        if model.name == "TransactWriteItems":
            self._in_transactions += len(from_json(params["body"])["TransactItems"])


@pytest.fixture(scope="module")
def aws() -> Iterator[Clients]:
    with clients() as made:
        yield made


@pytest.fixture(scope="module")
def counted(aws: Clients) -> Counted:
    return Counted(aws)


def deploy(aws: Clients, items: int, items_a_part: int, seconds: float) -> tuple[Scene, Deployed]:
    """A file of so many messages."""
    upstream = Upstream(seconds=seconds)
    scene = Scene(upstream=upstream, concurrency=costs.ITEMS_AT_ONCE, items_a_part=items_a_part)
    lines = message_lines(f"text {number}" for number in range(items))
    return scene, Deployed(aws, scene, "inbox/messages/in.jsonl", lines)


def test_a_worker_asks_for_a_part_what_the_page_says(aws: Clients, counted: Counted) -> None:
    """A thousand items, each call as long as there, as many at once; so does it take as long."""
    scene, deployed = deploy(aws, ITEMS_A_PART, ITEMS_A_PART, costs.MESSAGE_SECONDS)
    deployed.intake(Process())
    deployed.deliver()
    deployed.part_messages = deployed.part_messages[:1]
    begin = scene.time.seconds

    asked = counted.during(deployed.work)

    # Here the last calls end at one moment, so that they are counted with the part. Of a worker that calls over sockets
    # they are counted before, by a checkpoint of their own: a transaction of two writes.
    assert replace(asked, writes=asked.writes + 2 * 2) == costs.OF_A_WORKER
    assert scene.time.seconds - begin == costs.part_seconds(costs.MESSAGE_SECONDS)


@pytest.mark.parametrize("parts", [1, 3])
def test_intake_and_finisher_ask_what_the_page_says(aws: Clients, counted: Counted, parts: int) -> None:
    """Some of it for each part."""
    _, deployed = deploy(aws, parts, 1, 0.0)

    intake = counted.during(deployed.intake)
    deployed.deliver()
    deployed.part_messages = deployed.part_messages[:parts]
    deployed.work(Process())
    deployed.deliver()
    deployed.finish_messages = deployed.finish_messages[:1]
    finisher = counted.during(deployed.finish)

    assert intake.plus(finisher) == costs.OF_A_BATCH.plus(costs.OF_A_PART.times(parts))
    assert deployed.batch().state == "ended"


def test_no_record_has_more_than_a_kilobyte(aws: Clients) -> None:
    """So that a write is a unit: DynamoDB counts names and values."""
    _, deployed = deploy(aws, 2, 1, 0.0)
    deployed.intake(Process())
    name = deployed.ports().bucket

    items = aws.dynamodb.scan(TableName=name)["Items"]
    sizes = [sum(len(key) + len(str(*value.values())) for key, value in item.items()) for item in items]

    assert len(items) == 5  # the record and its two places, and two parts
    assert max(sizes) < 1024

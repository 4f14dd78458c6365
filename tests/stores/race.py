"""Workers that race for the parts of one batch, on any DynamoDB, such as DynamoDB Local.

    python -m tests.stores.race http://127.0.0.1:8000

Makes a table there, and leaves it; exit status 1 where anything was counted twice or not at all.
"""

import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import TYPE_CHECKING
from uuid import uuid4

from megallm.batches.model import Batch, Counts, Part, Spent
from megallm.local.isolation import local_target
from megallm.stores.batches import DynamoBatches
from megallm.stores.batches_table import BatchesTable
from tests.stores.batch_tables import BATCH, NOW, create_table

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

THREADS = 16
_PARTS = 100
ONE = Spent(1, 1, 1, 1)


def race(client: "DynamoDBClient", table: str, parts: int) -> tuple[Batch, int]:
    """Every part's message comes three times; the record afterwards, and how many thought that theirs was the last."""
    create_table(client, table)
    store = DynamoBatches(BatchesTable(lambda: client, table))
    store.create(BATCH)
    store.add_parts([Part(BATCH.id, number, number, number + 1, number, 1) for number in range(1, parts + 1)])
    store.start(BATCH.id, total=parts, parts=parts, lines="l", lines_version="v")

    def work(number: int) -> bool:
        part = store.claim(BATCH.id, number, now=NOW, lease_seconds=60)
        for _ in range(2):
            if part is not None:
                part = store.checkpoint(part, ONE, finished=0)
        batch = None if part is None else store.complete(part, Counts(succeeded=1), ONE)
        return batch is not None and batch.parts_done == batch.parts

    with ThreadPoolExecutor(THREADS) as pool:
        last = sum(pool.map(work, [*range(1, parts + 1)] * 3))
    record = store.get(BATCH.id)
    assert record is not None
    return record, last


def expected(parts: int) -> Batch:
    """The record, if each part was counted once."""
    return replace(
        BATCH,
        state="in_progress",
        total=parts,
        parts=parts,
        lines="l",
        lines_version="v",
        parts_done=parts,
        counts=Counts(succeeded=parts),
        finished=parts,
        spent=Spent(3 * parts, 3 * parts, 3 * parts, 3 * parts),
        committed=3 * parts,
    )


def main(url: str) -> int:
    """The exit status."""
    record, last = race(local_target(url).batch_dynamodb(), f"batches-{uuid4().hex}", _PARTS)
    print(f"{record.parts_done} of {_PARTS} parts done, {record.counts}, {record.spent}, told as the last: {last}")
    return 0 if record == expected(_PARTS) and last >= 1 else 1


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))

"""The batches' table in moto, and batches to put into it."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from itertools import count
from typing import TYPE_CHECKING

from moto import mock_aws

from megallm.batches.model import Batch, Counts, Job, Part, Source, Spent
from megallm.local.moto_dynamodb import mend_dynamodb
from megallm.stores.aws import AwsTarget
from megallm.stores.batches import DynamoBatches
from megallm.stores.batches_table import BatchesTable

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

AWS = AwsTarget(region="us-east-1", access_key_id="testing", secret_access_key="testing")
_NAMES = (f"batches-{number}" for number in count())

NOW = 1_790_000_000.25
BATCH = Batch(
    id="msgbatch_000000000000000000000001",
    owner="operator",
    job=Job("translate", {"target_language_codes": ["de"], "max_cost": 1.5}),
    source=Source("inbox/translate/de/a.jsonl", "v1", "a.jsonl", 1000),
    state="indexing",
    created_at=NOW,
    expires_at=NOW + 86400,
    max_microdollars=1_500_000,
)
PARTS = (
    Part(BATCH.id, 1, start=0, end=600, first=1, items=3),
    Part(BATCH.id, 2, start=600, end=1000, first=4, items=2, duplicates=(5,)),
)


SPENT = Spent(input_tokens=10, output_tokens=5, microdollars=7, calls=2, unpriced=1)
COUNTS = Counts(succeeded=2, errored=1)


@contextmanager
def mocked_client() -> Iterator["DynamoDBClient"]:
    """One for a whole module: to make one takes longer than most tests."""
    mend_dynamodb()
    with mock_aws():
        yield AWS.batch_dynamodb()


def new_table(client: "DynamoDBClient") -> str:
    """Its name."""
    name = next(_NAMES)
    create_table(client, name)
    return name


def create_table(client: "DynamoDBClient", name: str) -> None:
    """With the keys that the deployed one has."""
    client.create_table(
        TableName=name,
        KeySchema=[{"AttributeName": "pk", "KeyType": "HASH"}, {"AttributeName": "sk", "KeyType": "RANGE"}],
        AttributeDefinitions=[
            {"AttributeName": "pk", "AttributeType": "S"},
            {"AttributeName": "sk", "AttributeType": "S"},
        ],
        BillingMode="PAY_PER_REQUEST",
    )


def store_over(client: "DynamoDBClient", table: str) -> DynamoBatches:
    """A store that never waits."""
    return DynamoBatches(BatchesTable(lambda: client, table, sleep=lambda _: None))


def numbered(number: int, **changes: object) -> Batch:
    """The batch, with another id and made so many seconds later."""
    batch = replace(BATCH, id=f"msgbatch_{number:024}", created_at=NOW + number)
    return replace(batch, **changes)  # type: ignore[arg-type]  # a test says what it changes

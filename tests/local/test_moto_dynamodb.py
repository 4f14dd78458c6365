"""The local DynamoDB's transactions: all or nothing, also among threads, and also with cheap copies."""

import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import pytest
from botocore.exceptions import ClientError

from megallm.stores.aws import code_of
from tests.stores.batch_tables import mocked_client, new_table

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient


@pytest.fixture(scope="module")
def client() -> Iterator["DynamoDBClient"]:
    with mocked_client() as client:
        yield client


@pytest.fixture
def table(client: "DynamoDBClient") -> str:
    return new_table(client)


def key(sk: str) -> dict[str, Any]:
    return {"pk": {"S": "p"}, "sk": {"S": sk}}


def one_more(table: str, sk: str, limit: int) -> dict[str, Any]:
    return {
        "Update": {
            "TableName": table,
            "Key": key(sk),
            "UpdateExpression": "ADD used :one",
            "ConditionExpression": "attribute_not_exists(used) OR used < :limit",
            "ExpressionAttributeValues": {":one": {"N": "1"}, ":limit": {"N": str(limit)}},
        }
    }


def test_a_transaction_that_is_canceled_leaves_everything_as_it_was(client: "DynamoDBClient", table: str) -> None:
    """What it updated, made and deleted before its condition failed."""
    for sk in ("updated", "deleted", "full", "other"):
        client.put_item(TableName=table, Item={**key(sk), "used": {"N": "5"}})
    before = client.scan(TableName=table)["Items"]

    with pytest.raises(client.exceptions.TransactionCanceledException):
        client.transact_write_items(
            TransactItems=[
                one_more(table, "updated", 100),  # type: ignore[list-item]  # it is a write
                {"Put": {"TableName": table, "Item": key("new")}},
                {"Delete": {"TableName": table, "Key": key("deleted")}},
                one_more(table, "full", 5),  # type: ignore[list-item]  # as above
            ]
        )

    assert client.scan(TableName=table)["Items"] == before


@pytest.mark.slow
def test_transactions_are_atomic_under_threads(client: "DynamoDBClient", table: str) -> None:
    """Of 60 that race for 20 places, 20 count, on both of their items."""
    writes: Any = [one_more(table, "limited", 20), one_more(table, "total", 1000)]

    def race(_: int) -> None:
        try:
            client.transact_write_items(TransactItems=writes)
        except ClientError as error:
            if code_of(error) != "TransactionCanceledException":
                raise

    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        with ThreadPoolExecutor(8) as pool:
            list(pool.map(race, range(60)))
    finally:
        sys.setswitchinterval(before)

    used = [item["used"]["N"] for item in client.scan(TableName=table)["Items"]]
    assert used == ["20", "20"]

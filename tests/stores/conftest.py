"""Every store of batches: the one in memory, which other tests use, and DynamoDB's, on moto."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

from megallm.operations.batch_ports import BatchStore
from tests.batch_fakes import World
from tests.stores.batch_tables import mocked_client, new_table, store_over

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient


@pytest.fixture(scope="module")
def client() -> Iterator["DynamoDBClient"]:
    with mocked_client() as client:
        yield client


@pytest.fixture(params=["memory", "dynamodb"])
def store(request: pytest.FixtureRequest, client: "DynamoDBClient") -> BatchStore:
    return World().ports().store if request.param == "memory" else store_over(client, new_table(client))

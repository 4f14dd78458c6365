"""The ledger as it is read, by moto."""

from collections.abc import Iterator

import pytest
from moto import mock_aws
from mypy_boto3_dynamodb import DynamoDBClient

from megallm.errors import InternalError
from megallm.limits.ledger import Count, Used
from megallm.limits.state import Admit, Charge, Restart, Settle
from megallm.stores.aws import AwsTarget
from megallm.stores.ledger import DynamoLedger
from megallm.stores.limits_wire import to_wire

AWS = AwsTarget(region="us-east-1", access_key_id="testing", secret_access_key="testing")
USED = Used(
    requests=1, input_tokens=60, cache_read_tokens=20, cache_write_tokens=10, output_tokens=40, nanodollars=1500
)
FREE = Used(requests=1, input_tokens=5, nanodollars=0)
UNPRICED = Used(requests=1, output_tokens=7)


@pytest.fixture
def client() -> Iterator[DynamoDBClient]:
    with mock_aws():
        made = AWS.dynamodb()
        made.create_table(
            TableName="limits",
            KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
            AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
            BillingMode="PAY_PER_REQUEST",
        )
        yield made


def settle(client: DynamoDBClient, item_id: str, *counts: Count) -> None:
    """Calls that are let in and settled."""
    for number, count in enumerate(counts):
        move = Restart(number, number + 1)
        admit = Admit("lease", 9, move, move, 5, {}, 100, create=not number)
        for write in (admit, Settle("lease", 0, count)):
            client.update_item(**to_wire("limits", item_id, write))


def test_the_items_of_a_key_are_added_up(client: DynamoDBClient) -> None:
    """And those of other keys and other months are not."""
    settle(client, "abcdefgh", Count(9, UNPRICED), Count(10, USED), Count(10, UNPRICED))
    settle(client, "abcdefgh#1", Count(10, USED))
    settle(client, "abcdefgh#12", Count(10, USED))
    settle(client, "ijklmnop", Count(10, FREE))
    client.update_item(**to_wire("limits", "ijklmnop", Charge(5)))

    ledger = DynamoLedger(client, "limits")

    assert ledger.of_month(10) == {
        "abcdefgh": Used(
            requests=4,
            input_tokens=180,
            cache_read_tokens=60,
            cache_write_tokens=30,
            output_tokens=127,
            nanodollars=4500,
        ),
        "ijklmnop": FREE,
    }
    assert (ledger.of_month(9), ledger.of_month(1)) == ({"abcdefgh": UNPRICED}, {})


def test_months_that_are_dropped_leave_nothing_behind(client: DynamoDBClient) -> None:
    """Each of their figures goes, by its name."""
    settle(client, "abcdefgh", Count(7, USED), Count(8, USED), Count(10, USED, dropped=(6, 7)))

    item = client.get_item(TableName="limits", Key={"id": {"S": "abcdefgh"}})["Item"]

    assert set(item) == {
        "id",
        "rt",
        "tt",
        "lz",
        "ttl",
        *(f"{letter}{month}" for letter in "nirwoc" for month in (8, 10)),
    }


def test_the_same_settlement_again_counts_nothing(client: DynamoDBClient) -> None:
    """As one that is sent again after its answer was lost."""
    settle(client, "abcdefgh", Count(10, USED))

    with pytest.raises(client.exceptions.ConditionalCheckFailedException):
        client.update_item(**to_wire("limits", "abcdefgh", Settle("lease", 0, Count(10, USED))))

    assert DynamoLedger(client, "limits").of_month(10) == {"abcdefgh": USED}


def test_a_table_that_is_not_there_is_told_without_its_name() -> None:
    """The cause has it."""
    with mock_aws(), pytest.raises(InternalError) as caught:
        DynamoLedger(AWS.dynamodb(), "no-such-table").of_month(10)

    assert "no-such-table" not in caught.value.message

"""Keys in DynamoDB, by moto."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from moto import mock_aws

from megallm.errors import InternalError
from megallm.keys import KeyRecord, Limits
from megallm.stores.aws import CONDITION_FAILED, AwsTarget
from megallm.stores.keys import DynamoKeys
from tests.cli.canned_server import Canned, canned
from tests.stores.lost_answers import refuse

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

RECORD = KeyRecord("abcdefgh", "0" * 64, "ci", "basic", created_at=100, expires_at=200)
LIMITS = Limits(500, 2_000_000, 80)
AWS = AwsTarget(region="us-east-1", access_key_id="testing", secret_access_key="testing")


@pytest.fixture
def client() -> Iterator["DynamoDBClient"]:
    with mock_aws():
        client = AWS.dynamodb()
        client.create_table(
            TableName="keys",
            KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
            AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
            BillingMode="PAY_PER_REQUEST",
        )
        yield client


@pytest.fixture
def store(client: "DynamoDBClient") -> DynamoKeys:
    return DynamoKeys(client, "keys")


@pytest.mark.parametrize(
    "record",
    [RECORD, replace(RECORD, expires_at=None), replace(RECORD, revoked_at=150, tier="enterprise", limits=LIMITS)],
)
def test_a_record_comes_back_as_it_was(store: DynamoKeys, record: KeyRecord) -> None:
    """Every field, also those that may be absent."""
    store.put(record)

    assert store.get("abcdefgh") == record


def test_somebody_who_is_no_dynamodb_has_no_list_of_keys() -> None:
    """A page in its place is an error in plain words, and no empty list."""
    page = Canned(200, b"<html>", {"content-length": "6"})
    with canned({"POST /": page}) as url, pytest.raises(InternalError) as caught:
        list(DynamoKeys(replace(AWS, endpoint_url=url).dynamodb(), "keys").list())

    assert str(caught.value) == "The gateway could not list the keys: what answered is no DynamoDB"


def test_an_unknown_id_is_none(store: DynamoKeys) -> None:
    """Not an error: authentication decides what it means."""
    assert store.get("nokeyhere") is None


def test_a_taken_id_is_not_overwritten(store: DynamoKeys) -> None:
    """The first record stands; adding the very same once more, as a retry does, counts as done."""
    other = replace(RECORD, hash="1" * 64)

    assert [store.add(RECORD), store.add(RECORD), store.add(other)] == [True, True, False]
    assert store.get("abcdefgh") == RECORD


def test_a_revocation_delivered_twice_has_its_effect_once(store: DynamoKeys) -> None:
    """The first time stands."""
    store.put(RECORD)

    answers = [store.revoke("abcdefgh", at) for at in (150, 160)]

    assert answers == [replace(RECORD, revoked_at=150)] * 2


def test_revoking_an_unknown_id_makes_no_record(store: DynamoKeys) -> None:
    """UpdateItem would create one without its condition."""
    assert store.revoke("nokeyhere", 1) is None
    assert list(store.list()) == []


def test_a_changed_tier_leaves_the_rest_as_it_is(store: DynamoKeys) -> None:
    """A revocation that came in between stands; delivered twice, the effect is once."""
    store.put(RECORD)
    store.revoke("abcdefgh", 150)

    answers = [store.set_tier("abcdefgh", "enterprise", LIMITS) for _ in range(2)]
    back = store.set_tier("abcdefgh", "pro", None)

    assert answers == [replace(RECORD, revoked_at=150, tier="enterprise", limits=LIMITS)] * 2
    assert back == store.get("abcdefgh") == replace(RECORD, revoked_at=150, tier="pro")


def test_changing_an_unknown_id_makes_no_record(store: DynamoKeys) -> None:
    """As revoking does not."""
    assert store.set_tier("nokeyhere", "pro", None) is None
    assert list(store.list()) == []


def test_the_list_has_every_page(store: DynamoKeys) -> None:
    """More than the 1 MB that one Scan returns."""
    records = {replace(RECORD, id=f"{number:08}", name="n" * 250_000) for number in range(6)}
    for record in records:
        store.put(record)

    assert set(store.list()) == records


def test_a_refusal_is_known_among_threads(client: "DynamoDBClient", store: DynamoKeys) -> None:
    """Whatever class botocore gives it: two threads that are refused at once get two."""
    store.put(RECORD)
    for operation in ("PutItem", "UpdateItem"):
        refuse(client, operation, CONDITION_FAILED)

    answers = (
        store.add(replace(RECORD, name="other")),
        store.revoke("nokeyhere", 1),
        store.set_tier("nokey", "pro", None),
    )

    assert answers == (False, None, None)


@pytest.mark.parametrize("call", ["get", "add", "put", "revoke", "set_tier", "list"])
def test_a_missing_table_is_our_fault(call: str) -> None:
    """Callers get a 500 that tells nothing of tables' names."""
    with mock_aws():
        store = DynamoKeys(AWS.dynamodb(), "no-such-table")
        calls: dict[str, Callable[[], object]] = {
            "get": lambda: store.get("abcdefgh"),
            "add": lambda: store.add(RECORD),
            "put": lambda: store.put(RECORD),
            "revoke": lambda: store.revoke("abcdefgh", 1),
            "set_tier": lambda: store.set_tier("abcdefgh", "pro", LIMITS),
            "list": lambda: list(store.list()),
        }

        with pytest.raises(InternalError) as caught:
            calls[call]()

    assert "no-such-table" not in caught.value.message

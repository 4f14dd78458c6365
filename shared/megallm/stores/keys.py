"""The records of API keys in DynamoDB: one item a key, under its id."""

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, cast

from botocore.exceptions import BotoCoreError, ClientError

from megallm.errors import InternalError
from megallm.keys import KeyRecord, Limits, Tier
from megallm.stores.aws import CONDITION_FAILED, code_of

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

_NEW_ID = "attribute_not_exists(id)"
_KNOWN_ID = "attribute_exists(id)"


class DynamoKeys:
    """``KeyStore`` over a table with the string partition key ``id``.

    Raises InternalError where DynamoDB fails; the log has the cause.
    """

    def __init__(self, client: "DynamoDBClient", table: str) -> None:
        self._client = client
        self._table = table

    def get(self, key_id: str) -> KeyRecord | None:
        """The record, by a consistent read: a key works as soon as it is made."""
        try:
            answer = self._client.get_item(TableName=self._table, Key={"id": {"S": key_id}}, ConsistentRead=True)
        except (ClientError, BotoCoreError) as error:
            raise _failed("read the key") from error
        item = answer.get("Item")
        return _from_item(item) if item else None

    def add(self, record: KeyRecord) -> bool:
        """Stores a record under a new id; False where the id is taken."""
        try:
            self._client.put_item(TableName=self._table, Item=_to_item(record), ConditionExpression=_NEW_ID)
        except (ClientError, BotoCoreError) as error:
            if _is_unmet(error):
                return self.get(record.id) == record  # a retry whose first answer was lost finds its own record
            raise _failed("store the key") from error
        return True

    def put(self, record: KeyRecord) -> None:
        """Stores a record in place of whatever has its id."""
        try:
            self._client.put_item(TableName=self._table, Item=_to_item(record))
        except (ClientError, BotoCoreError) as error:
            raise _failed("store the key") from error

    def revoke(self, key_id: str, at: int) -> KeyRecord | None:
        """Sets the time of revocation, once."""
        try:
            answer = self._client.update_item(
                TableName=self._table,
                Key={"id": {"S": key_id}},
                UpdateExpression="SET revoked_at = if_not_exists(revoked_at, :at)",
                ConditionExpression=_KNOWN_ID,
                ExpressionAttributeValues={":at": {"N": str(at)}},
                ReturnValues="ALL_NEW",
            )
        except (ClientError, BotoCoreError) as error:
            if _is_unmet(error):
                return None
            raise _failed("revoke the key") from error
        return _from_item(answer["Attributes"])

    def set_tier(self, key_id: str, tier: Tier, limits: Limits | None) -> KeyRecord | None:
        """Replaces tier and numbers, and touches nothing else: a revocation at the same moment stands."""
        values: dict[str, Any] = {":tier": {"S": tier}}
        if limits is None:
            update = "SET tier = :tier REMOVE limits"
        else:
            update = "SET tier = :tier, limits = :limits"
            values[":limits"] = _limits_to_item(limits)
        try:
            answer = self._client.update_item(
                TableName=self._table,
                Key={"id": {"S": key_id}},
                UpdateExpression=update,
                ConditionExpression=_KNOWN_ID,
                ExpressionAttributeValues=values,
                ReturnValues="ALL_NEW",
            )
        except (ClientError, BotoCoreError) as error:
            if _is_unmet(error):
                return None
            raise _failed("change the key") from error
        return _from_item(answer["Attributes"])

    def list(self) -> Iterator[KeyRecord]:
        """All records, page by page."""
        try:
            for page in self._client.get_paginator("scan").paginate(TableName=self._table, ConsistentRead=True):
                if "Items" not in page:
                    raise InternalError("The gateway could not list the keys: what answered is no DynamoDB")
                for item in page["Items"]:
                    yield _from_item(item)
        except (ClientError, BotoCoreError) as error:
            raise _failed("list the keys") from error


def _is_unmet(error: Exception) -> bool:
    return isinstance(error, ClientError) and code_of(error) == CONDITION_FAILED


def _failed(what: str) -> InternalError:
    return InternalError(f"The gateway could not {what}: its table did not answer")


def _to_item(record: KeyRecord) -> dict[str, Any]:  # Any: DynamoDB's attribute values
    item = {
        "id": {"S": record.id},
        "hash": {"S": record.hash},
        "name": {"S": record.name},
        "tier": {"S": record.tier},
        "created_at": {"N": str(record.created_at)},
    }
    if record.expires_at is not None:
        item["expires_at"] = {"N": str(record.expires_at)}
    if record.revoked_at is not None:
        item["revoked_at"] = {"N": str(record.revoked_at)}
    if record.limits is not None:
        item["limits"] = _limits_to_item(record.limits)
    return item


def _limits_to_item(limits: Limits) -> dict[str, Any]:
    numbers = {
        "requests_per_minute": limits.requests_per_minute,
        "tokens_per_minute": limits.tokens_per_minute,
        "concurrent": limits.concurrent,
    }
    return {"M": {name: {"N": str(number)} for name, number in numbers.items()}}


def _limits_from_item(numbers: Mapping[str, Any]) -> Limits:
    return Limits(
        requests_per_minute=int(numbers["requests_per_minute"]["N"]),
        tokens_per_minute=int(numbers["tokens_per_minute"]["N"]),
        concurrent=int(numbers["concurrent"]["N"]),
    )


def _from_item(item: Mapping[str, Any]) -> KeyRecord:
    return KeyRecord(
        id=item["id"]["S"],
        hash=item["hash"]["S"],
        name=item["name"]["S"],
        tier=cast(Tier, item["tier"]["S"]),
        created_at=int(item["created_at"]["N"]),
        expires_at=int(item["expires_at"]["N"]) if "expires_at" in item else None,
        revoked_at=int(item["revoked_at"]["N"]) if "revoked_at" in item else None,
        limits=_limits_from_item(item["limits"]["M"]) if "limits" in item else None,
    )

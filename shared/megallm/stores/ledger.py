"""The ledger as somebody reads it who is not a gateway: out of the limiter's items."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

from megallm.limits.ledger import Used
from megallm.stores.aws import told_as
from megallm.stores.limits_wire import months_in, used_in

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

_SHARD = "#"  # between a key's id and the number of a further item


class DynamoLedger:
    """``Ledger`` over the table of the limits. Raises InternalError where DynamoDB fails."""

    def __init__(self, client: "DynamoDBClient", table: str) -> None:
        self._client = client
        self._table = table

    def of_month(self, month: int) -> dict[str, Used]:
        """By a scan: the items of a key whose numbers were once larger are not known by name."""
        ledger: dict[str, Used] = {}
        for key_id, used in self._counted(month):
            ledger[key_id] = ledger.get(key_id, Used()).plus(used)
        return ledger

    def _counted(self, month: int) -> Iterator[tuple[str, Used]]:
        with told_as("read what the keys have used"):
            for page in self._client.get_paginator("scan").paginate(TableName=self._table, ConsistentRead=True):
                for item in page["Items"]:
                    if month in months_in(item):
                        yield item["id"]["S"].partition(_SHARD)[0], used_in(item, month)

"""One DynamoDB table with ``pk`` and ``sk``: its calls, and the repetition of those that were in each other's way."""

import random
import secrets
import time
from collections.abc import Callable, Iterator, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from megallm.errors import InternalError
from megallm.stores.aws import CONDITION_FAILED, code_of, told_as
from megallm.stores.batch_items import Item, Key

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

# Parts of one batch all count on its record, so their transactions meet there. boto3 repeats none of these.
# With these waits a write is given up after some 13 s, long before the attempt's lease ends.
_TRIES = 30
_FIRST_WAIT_SECONDS = 0.02
_LONGEST_WAIT_SECONDS = 1.0
_IN_THE_WAY = frozenset(
    {"TransactionConflict", "ThrottlingError", "ProvisionedThroughputExceeded", "TransactionConflictException"}
)
_UNMET = "ConditionalCheckFailed"

KEYS_A_READ = 100
WRITES_A_TRANSACTION = 100
_DELETIONS_A_REQUEST = 25


class ConditionUnmet(Exception):
    """Nothing was written. ``unmet`` has a place for each write: whether its condition failed."""

    def __init__(self, unmet: Sequence[bool]) -> None:
        super().__init__(unmet)
        self.unmet = tuple(unmet)


class BatchesTable:
    """The calls; each raises InternalError where DynamoDB fails. *connect* makes the client when it is first needed."""

    def __init__(
        self, connect: Callable[[], "DynamoDBClient"], name: str, sleep: Callable[[float], None] = time.sleep
    ) -> None:
        self._connect = connect
        self._name = name
        self._sleep = sleep

    @cached_property
    def _client(self) -> "DynamoDBClient":
        return self._connect()

    def get(self, key: Key) -> Item | None:
        """By a consistent read."""
        with told_as("read a batch"):
            return self._client.get_item(TableName=self._name, Key=key, ConsistentRead=True).get("Item")

    def get_many(self, keys: Sequence[Key]) -> list[Item]:
        """Those of at most ``KEYS_A_READ`` that there are, in no order."""
        found: list[Item] = []
        left: Any = {self._name: {"Keys": keys, "ConsistentRead": True}} if keys else {}
        for seconds in self._waits("read batches"):
            if not left:
                break
            with told_as("read batches"):
                answer = self._client.batch_get_item(RequestItems=left)
            found += answer["Responses"].get(self._name, [])
            left = answer.get("UnprocessedKeys")
            if left:
                self._sleep(seconds)
        return found

    def query(
        self, pk: str, condition: str = "", sk: str = "", *, backward: bool = False, limit: int = 0
    ) -> Iterator[Item]:
        """The items under *pk* whose ``sk`` meets a condition on ``:sk``, in order; all, or the first *limit*."""
        request: dict[str, Any] = {
            "TableName": self._name,
            "KeyConditionExpression": f"pk = :pk AND {condition}" if condition else "pk = :pk",
            "ExpressionAttributeValues": {":pk": {"S": pk}, **({":sk": {"S": sk}} if condition else {})},
            "ConsistentRead": True,
            "ScanIndexForward": not backward,
        }
        if limit:
            request["Limit"] = limit  # items are a few hundred bytes: no page ends before its limit
        while True:
            with told_as("list batches"):
                answer = self._client.query(**request)
            yield from answer["Items"]
            if limit or not answer.get("LastEvaluatedKey"):
                return
            request["ExclusiveStartKey"] = answer["LastEvaluatedKey"]

    def update(self, request: dict[str, Any]) -> Item:
        """The item as it is afterwards. Raises ConditionUnmet."""

        def send() -> Item:
            return self._client.update_item(TableName=self._name, ReturnValues="ALL_NEW", **request)["Attributes"]

        item: Item = self._written(send, writes=1)
        return item

    def transact(self, writes: Sequence[dict[str, Any]]) -> None:
        """All of them or none. Raises ConditionUnmet."""
        items: Any = [{kind: {"TableName": self._name, **write}} for each in writes for kind, write in each.items()]
        token = secrets.token_hex(16)  # a repetition of this call, after its answer was lost, is known by it

        def send() -> None:
            self._client.transact_write_items(TransactItems=items, ClientRequestToken=token)

        self._written(send, writes=len(items))

    def delete(self, keys: Sequence[Key]) -> None:
        """Deletes what is there of these."""
        for at in range(0, len(keys), _DELETIONS_A_REQUEST):
            left: Any = [{"DeleteRequest": {"Key": key}} for key in keys[at : at + _DELETIONS_A_REQUEST]]
            for seconds in self._waits("delete a batch"):
                with told_as("delete a batch"):
                    answer = self._client.batch_write_item(RequestItems={self._name: left})
                left = answer.get("UnprocessedItems", {}).get(self._name)
                if not left:
                    break
                self._sleep(seconds)

    def _written(self, send: Callable[[], Any], *, writes: int) -> Any:
        for seconds in self._waits("record a batch's progress"):
            with told_as("record a batch's progress"):
                try:
                    return send()
                except ClientError as error:
                    codes = _codes(error, writes)
                    if _UNMET in codes:
                        raise ConditionUnmet([code == _UNMET for code in codes]) from error
                    if not _IN_THE_WAY.intersection(codes):
                        raise
            self._sleep(seconds)
        raise AssertionError("the waits end by raising")

    @staticmethod
    def _waits(what: str) -> Iterator[float]:
        """How long to wait after each try that came in another's way. Raises InternalError after the last."""
        longest = _FIRST_WAIT_SECONDS
        for _ in range(_TRIES):
            yield random.uniform(0, longest)  # noqa: S311  it only keeps writers apart
            longest = min(2 * longest, _LONGEST_WAIT_SECONDS)
        raise InternalError(f"The gateway could not {what}: too much else is written")


def _codes(error: ClientError, writes: int) -> list[str]:
    """Why each write was refused: "None" for one that would have been fine."""
    code = code_of(error)
    if code == "TransactionCanceledException":
        reasons: Any = error.response.get("CancellationReasons", [])  # not in the stub of the error's response
        return [str(reason.get("Code", "None")) for reason in reasons]
    return [_UNMET if code == CONDITION_FAILED else code] * writes

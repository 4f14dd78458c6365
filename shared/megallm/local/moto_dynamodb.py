"""What moto's DynamoDB gets wrong for us: it is not atomic under threads, and a transaction copies the whole table."""

import copy
import threading
from collections import defaultdict
from collections.abc import Sequence
from contextvars import ContextVar
from typing import Any

from moto.dynamodb.models import DynamoDBBackend
from moto.dynamodb.models.dynamo_type import DynamoType
from moto.dynamodb.models.table import Table
from moto.dynamodb.responses import DynamoHandler

_LOCK = threading.RLock()
_MARK = "megallm_mended"

# The writes of the transaction that is under way.
_writes: ContextVar[Sequence[dict[str, Any]] | None] = ContextVar("transaction", default=None)


def mend_dynamodb() -> None:
    """Makes moto's DynamoDB atomic, and its transactions cheap; more than once does no harm."""
    if hasattr(DynamoHandler, _MARK):
        return
    setattr(DynamoHandler, _MARK, True)
    _run_one_operation_at_a_time()
    _copy_only_what_a_transaction_touches()


def _run_one_operation_at_a_time() -> None:
    """Moto checks a condition and writes in separate steps that other threads can come between.

    The lock is held around the whole operation, from reading the request to writing the reply, so what is returned is
    consistent as well; and a transaction is one operation.
    """
    original = DynamoHandler.call_action

    def call_action(self: DynamoHandler) -> Any:
        with _LOCK:
            return original(self)

    DynamoHandler.call_action = call_action  # type: ignore[method-assign]  # the one way in that moto has


def _copy_only_what_a_transaction_touches() -> None:
    """Moto copies a table before each transaction, to be able to go back: a millisecond an item, under the lock."""
    original = DynamoDBBackend.transact_write_items

    def transact_write_items(self: DynamoDBBackend, transact_items: list[dict[str, Any]]) -> None:
        token = _writes.set([write for each in transact_items for write in each.values()])
        try:
            original(self, transact_items)
        finally:
            _writes.reset(token)

    DynamoDBBackend.transact_write_items = transact_write_items  # type: ignore[method-assign]  # as above
    Table.__deepcopy__ = _copied  # type: ignore[attr-defined]  # it has none of its own


def _copied(table: Table, memo: dict[int, Any]) -> Table:
    clone = copy.copy(table)
    writes = _writes.get()
    if writes is None:
        memo[id(table)] = clone
        vars(clone).update(copy.deepcopy(vars(table), memo))
        return clone
    items: Any = table.items  # by partition key, and below it by sort key where the table has one
    if table.range_key_attr is None:
        clone.items = defaultdict(dict, items)
    else:
        clone.items = defaultdict(dict, {partition: dict(rows) for partition, rows in items.items()})
    copies: Any = clone.items
    for write in writes:
        key = write.get("Item") or write["Key"]
        partition = DynamoType(key[table.hash_key_attr])
        rows, place = copies, partition
        if table.range_key_attr is not None:
            rows, place = copies.get(partition, {}), DynamoType(key[table.range_key_attr])
        if write["TableName"] == table.name and place in rows:
            rows[place] = copy.deepcopy(rows[place])
    return clone

"""What the keys used in a month, for whoever pays: the ledger of their messages, and the records of their batches."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

from megallm.batches.model import OPERATOR, Batch, Spent
from megallm.keys import ANONYMOUS_ID, KeyRecord
from megallm.limits.ledger import Used, month_at
from megallm.operations.batch_ports import BatchStore
from megallm.operations.manage_keys import show_key
from megallm.operations.ports import KeyStore

_PAGE = 100


class Ledger(Protocol):
    """Where what messages used is counted."""

    def of_month(self, month: int) -> dict[str, Used]:
        """The figures of each key that has some. Raises InternalError."""


@dataclass(frozen=True, slots=True)
class BatchesUsed:
    """What the calls of so many batches used."""

    batches: int
    spent: Spent

    def plus(self, other: "BatchesUsed") -> "BatchesUsed":
        """Both together."""
        return BatchesUsed(self.batches + other.batches, self.spent.plus(other.spent))


NO_BATCHES = BatchesUsed(0, Spent())


@dataclass(frozen=True, slots=True)
class KeyUsage:
    """What one key used. ``key`` is None for the operator's batches, and for calls without a key."""

    id: str
    key: KeyRecord | None
    messages: Used
    batches: BatchesUsed

    @property
    def is_any(self) -> bool:
        """Whether there is something to tell."""
        return self.messages != Used() or self.batches != NO_BATCHES


def tell_usage(ledger: Ledger, keys: KeyStore, batches: BatchStore, month: int) -> Sequence[KeyUsage]:
    """Of all who used something in that month, the operator and those without a key last; it blocks.

    A batch counts in the month in which it was submitted. Raises InternalError.
    """
    records = {record.id: record for record in keys.list()}
    counted = ledger.of_month(month)
    others = sorted((counted.keys() | {OPERATOR, ANONYMOUS_ID}) - records.keys())
    ordered = [*sorted(records, key=lambda key_id: (records[key_id].name, key_id)), *others]
    found = (
        KeyUsage(key_id, records.get(key_id), counted.get(key_id, Used()), _batches_of(batches, key_id, month))
        for key_id in ordered
    )
    return [usage for usage in found if usage.is_any]


def tell_usage_of(ledger: Ledger, keys: KeyStore, batches: BatchStore, month: int, key_id: str) -> KeyUsage:
    """The same of one key, though it may be nothing. Raises NotFound, InternalError."""
    record = show_key(keys, key_id)
    used = ledger.of_month(month).get(key_id, Used())
    return KeyUsage(key_id, record, used, _batches_of(batches, key_id, month))


def _batches_of(batches: BatchStore, owner: str, month: int) -> BatchesUsed:
    total = NO_BATCHES
    for batch in _newest_first(batches, owner):
        submitted = month_at(batch.created_at)
        if submitted < month:
            break
        if submitted == month:
            total = total.plus(BatchesUsed(1, batch.spent))
    return total


def _newest_first(batches: BatchStore, owner: str) -> Iterator[Batch]:
    after: str | None = None
    while True:
        page, has_more = batches.list(owner, limit=_PAGE, after_id=after, before_id=None)
        yield from page
        if not has_more or not page:
            return
        after = page[-1].id

"""When a batch will be done, by the allowance of its owner's batches, and what cannot be done within its time."""

from collections.abc import Iterable

from megallm.batches.model import LIFETIME_SECONDS, Batch
from megallm.batches.refused import Refused
from megallm.operations.batch_allowance import seconds_needed
from megallm.operations.batch_ports import BatchStore

_OTHERS = 50  # of the owner's newest batches that are looked at


def tokens_left(batch: Batch) -> int:
    """What is still to be used for a batch, as far as can be guessed: of an estimate, the share of its open items."""
    if batch.state == "ended" or batch.stop is not None or not batch.total:
        return 0
    return batch.estimated_tokens * (batch.total - batch.finished) // batch.total


def expected_end(store: BatchStore, batch: Batch, tokens: int, tokens_a_minute: int | None, now: float) -> float | None:
    """When a batch of so many *tokens* will be done beside its owner's others; None where nothing limits it.

    Raises Refused for one that would take longer than a batch has.
    """
    if not tokens_a_minute:
        return None
    others = sum(map(tokens_left, _others(store, batch)))
    seconds = seconds_needed(tokens + others, tokens_a_minute)
    check_time(seconds, tokens_a_minute, beside_others=others > 0)
    return now + seconds


def check_time(seconds: float, tokens_a_minute: int, *, beside_others: bool = False) -> None:
    """Raises Refused for what takes longer than a batch has."""
    if seconds > LIFETIME_SECONDS:
        what = "this batch and the open ones of the same owner" if beside_others else "this batch"
        raise Refused(
            f"At {tokens_a_minute:,} tokens a minute, the allowance of its owner's batches, {what} would take about"
            f" {seconds / 3600:.0f} hours; a batch has {LIFETIME_SECONDS // 3600}"
        )


def _others(store: BatchStore, batch: Batch) -> Iterable[Batch]:
    found, _ = store.list(batch.owner, limit=_OTHERS, after_id=None, before_id=None)
    return (other for other in found if other.id != batch.id)

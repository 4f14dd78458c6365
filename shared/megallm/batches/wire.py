"""Batches as the SDKs know them: ``MessageBatch``, its pages, and what is said of a deleted one."""

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Literal

from megallm.batches.model import Batch

ProcessingStatus = Literal["in_progress", "canceling", "ended"]


def to_wire(batch: Batch, results_url: str) -> dict[str, object]:
    """One batch. *results_url* is where its results will be; it is told once they are there.

    All requests count as processing until the batch as a whole has ended; then every one of them has ended somehow.
    """
    ended = batch.state == "ended"
    counts = batch.counts
    canceled_at = batch.stop_requested_at if batch.stop == "canceled" else None
    return {
        "id": batch.id,
        "type": "message_batch",
        "processing_status": _status(batch),
        "request_counts": {
            "processing": 0 if ended else batch.total,
            "succeeded": counts.succeeded if ended else 0,
            "errored": counts.errored if ended else 0,
            "canceled": counts.canceled if ended else 0,
            "expired": counts.expired if ended else 0,
        },
        "created_at": rfc_3339(batch.created_at),
        "expires_at": rfc_3339(batch.expires_at),
        "ended_at": None if batch.ended_at is None else rfc_3339(batch.ended_at),
        "cancel_initiated_at": None if canceled_at is None else rfc_3339(canceled_at),
        "archived_at": None,
        "results_url": results_url if ended else None,
    }


def page_to_wire(batches: Sequence[Batch], has_more: bool, url_of: Callable[[str], str]) -> dict[str, object]:
    """A page in the SDKs' shape; *url_of* gives the address of a batch's results."""
    return {
        "data": [to_wire(batch, url_of(batch.id)) for batch in batches],
        "has_more": has_more,
        "first_id": batches[0].id if batches else None,
        "last_id": batches[-1].id if batches else None,
    }


def deleted_to_wire(batch_id: str) -> dict[str, object]:
    """A batch that is gone."""
    return {"id": batch_id, "type": "message_batch_deleted"}


def _status(batch: Batch) -> ProcessingStatus:
    if batch.state == "ended":
        return "ended"
    # A batch that expires or has spent its money is on its way to the end as well, but nobody canceled it.
    return "canceling" if batch.stop == "canceled" else "in_progress"


def rfc_3339(seconds: float) -> str:
    """A time in UTC, as Anthropic writes it."""
    return datetime.fromtimestamp(seconds, UTC).isoformat().replace("+00:00", "Z")

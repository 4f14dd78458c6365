"""``BatchEvents``: the end of a batch, told on an EventBridge bus, or only logged where there is none.

The event's ``source`` is "megallm", its ``detail-type`` "Batch Ended"; docs/batches-events.md describes the detail.
"""

import time
from collections.abc import Callable
from functools import cached_property
from typing import TYPE_CHECKING

from pydantic_core import to_json

from megallm.batches.model import Batch, result_key
from megallm.errors import InternalError
from megallm.stores.aws import told_as
from megallm.telemetry import log

if TYPE_CHECKING:
    from mypy_boto3_events import EventBridgeClient

SOURCE = "megallm"
DETAIL_TYPE = "Batch Ended"
_TRIES = 4
_FIRST_WAIT_SECONDS = 0.1


def detail_of(batch: Batch, bucket: str) -> dict[str, object]:
    """What the event says of a batch that has ended. Times are in seconds since 1970."""
    return {
        "version": 1,
        "batch_id": batch.id,
        "owner": batch.owner,
        "task": batch.job.task,
        "input": {"key": batch.source.key, "version": batch.source.version},
        "stopped": batch.stop,
        "problem": batch.problem,
        "items": batch.total,
        "counts": {
            "succeeded": batch.counts.succeeded,
            "errored": batch.counts.errored,
            "canceled": batch.counts.canceled,
            "expired": batch.counts.expired,
        },
        "usage": {
            "input_tokens": batch.spent.input_tokens,
            "output_tokens": batch.spent.output_tokens,
            "calls": batch.spent.calls,
        },
        "cost_usd": batch.spent.microdollars / 1_000_000,
        "created_at": batch.created_at,
        "ended_at": batch.ended_at,
        "files": {
            "bucket": bucket,
            "results": result_key(batch.id, "results.jsonl"),
            "errors": result_key(batch.id, "errors.jsonl"),
            "manifest": result_key(batch.id, "manifest.json"),
        },
    }


class LoggedEvents:
    """Where there is no bus."""

    def ended(self, batch: Batch) -> None:
        log_end(batch)


class BusEvents:
    """Raises InternalError where EventBridge fails. *connect* makes the client when it is first needed."""

    def __init__(
        self,
        connect: Callable[[], "EventBridgeClient"],
        *,
        bus: str,
        bucket: str,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._connect = connect
        self._bus = bus
        self._bucket = bucket
        self._sleep = sleep

    @cached_property
    def _client(self) -> "EventBridgeClient":
        return self._connect()

    def ended(self, batch: Batch) -> None:
        log_end(batch)
        detail = to_json(detail_of(batch, self._bucket)).decode()
        wait = _FIRST_WAIT_SECONDS
        for _ in range(_TRIES):
            with told_as("tell of the end of a batch"):
                answer = self._client.put_events(
                    Entries=[{"Source": SOURCE, "DetailType": DETAIL_TYPE, "Detail": detail, "EventBusName": self._bus}]
                )
            if not answer["FailedEntryCount"]:
                return
            self._sleep(wait)
            wait *= 2
        raise InternalError("The gateway could not tell of the end of a batch: the event bus did not take it")


def log_end(batch: Batch) -> None:
    """One line, with counts alone."""
    log(
        "batch_ended",
        {
            "batch_id": batch.id,
            "task": batch.job.task,
            "stopped": batch.stop,
            "refused": batch.problem is not None,
            "succeeded": batch.counts.succeeded,
            "errored": batch.counts.errored,
            "canceled": batch.counts.canceled,
            "expired": batch.counts.expired,
        },
    )

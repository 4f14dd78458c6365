"""The end of a batch, as the bus and the log are told of it."""

import io
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from megallm.batches.model import Counts, Spent
from megallm.errors import InternalError
from megallm.stores.events import BusEvents, LoggedEvents
from tests.stores.batch_tables import BATCH, NOW

PAGE = Path(__file__).parents[2] / "docs" / "batches-events.md"

ENDED = replace(
    BATCH,
    state="ended",
    stop="max_cost",
    total=5,
    counts=Counts(2, 1, 1, 1),
    spent=Spent(100, 50, 1_250_000, 4),
    ended_at=NOW + 60,
)
DETAIL = {
    "version": 1,
    "batch_id": "msgbatch_000000000000000000000001",
    "owner": "operator",
    "task": "translate",
    "input": {"key": "inbox/translate/de/a.jsonl", "version": "v1"},
    "stopped": "max_cost",
    "problem": None,
    "items": 5,
    "counts": {"succeeded": 2, "errored": 1, "canceled": 1, "expired": 1},
    "usage": {"input_tokens": 100, "output_tokens": 50, "calls": 4},
    "cost_usd": 1.25,
    "created_at": 1790000000.25,
    "ended_at": 1790000060.25,
    "files": {
        "bucket": "megallm-local",
        "results": "results/msgbatch_000000000000000000000001/results.jsonl",
        "errors": "results/msgbatch_000000000000000000000001/errors.jsonl",
        "manifest": "results/msgbatch_000000000000000000000001/manifest.json",
    },
}


class Bus:
    """An EventBridge that refuses the first entries."""

    def __init__(self, refuses: int = 0) -> None:
        self.entries: list[dict[str, Any]] = []
        self._refuses = refuses

    def put_events(self, **request: Any) -> Any:
        self.entries += request["Entries"]
        refused = len(self.entries) <= self._refuses
        return {"FailedEntryCount": int(refused), "Entries": [{"ErrorCode": "ThrottlingException"}]}


def telling(bus: Bus) -> BusEvents:
    connect: Any = lambda: bus  # noqa: E731  it has what the store uses
    return BusEvents(connect, bus="default", bucket="megallm-local", sleep=lambda _: None)


def test_the_bus_is_told_all_that_is_documented() -> None:
    """docs/batches-events.md shows this very event."""
    bus = Bus()

    telling(bus).ended(ENDED)

    (entry,) = bus.entries
    assert json.loads(entry.pop("Detail")) == DETAIL
    assert entry == {"Source": "megallm", "DetailType": "Batch Ended", "EventBusName": "default"}
    shown = json.loads(PAGE.read_text().partition("```json\n")[2].partition("```")[0])
    assert shown == {"source": "megallm", "detail-type": "Batch Ended", "detail": DETAIL}


def test_an_event_that_was_not_taken_is_sent_again() -> None:
    """EventBridge tells of it in an answer with status 200."""
    bus = Bus(refuses=2)

    telling(bus).ended(ENDED)

    assert len(bus.entries) == 3


def test_an_event_that_is_never_taken_is_our_fault() -> None:
    """The finisher's message comes again then."""
    with pytest.raises(InternalError):
        telling(Bus(refuses=99)).ended(ENDED)


def test_without_a_bus_the_end_is_logged(lines: io.StringIO) -> None:
    """With counts, and nothing that somebody wrote."""
    LoggedEvents().ended(ENDED)

    line = json.loads(lines.getvalue())
    assert {name: line[name] for name in ("event", "batch_id", "stopped", "refused", "succeeded", "expired")} == {
        "event": "batch_ended",
        "batch_id": BATCH.id,
        "stopped": "max_cost",
        "refused": False,
        "succeeded": 2,
        "expired": 1,
    }
    assert "a.jsonl" not in lines.getvalue()

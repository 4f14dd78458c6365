"""How a batch is shown: as JSON for scripts, as rows for people, and as a progress bar while it runs."""

from collections.abc import Sequence
from dataclasses import asdict
from math import ceil
from typing import TYPE_CHECKING

from megallm.cli.expiry import written

if TYPE_CHECKING:
    from megallm.batches.model import Batch

COLUMNS = (
    "id",
    "owner",
    "task",
    "state",
    "items",
    "done",
    "failed",
    "cost",
    "created (UTC)",
    "ended, ~ expected",
    "file",
)


def shown(batch: "Batch", now: float) -> dict[str, object]:
    """The whole record. Times are in seconds since 1970, as of keys."""
    from megallm.batches.expectation import expected_end_of
    from megallm.operations.follow_batch import done_of

    return {
        "id": batch.id,
        "owner": batch.owner,
        "task": batch.job.task,
        "options": {name: value for name, value in batch.job.options.items() if value is not None},
        "state": batch.state,
        "stopped_by": batch.stop,
        "problem": batch.problem,
        "input": asdict(batch.source),
        "items": batch.total,
        "done": done_of(batch),
        "counts": asdict(batch.counts),
        "parts": batch.parts,
        "parts_done": batch.parts_done,
        "usage": {
            "input_tokens": batch.spent.input_tokens,
            "output_tokens": batch.spent.output_tokens,
            "calls": batch.spent.calls,
            "cost_usd": batch.spent.dollars,
        },
        "created_at": batch.created_at,
        "expected_end_at": expected_end_of(batch, now),
        "expires_at": batch.expires_at,
        "ended_at": batch.ended_at,
    }


def row(batch: "Batch", now: float) -> Sequence[str]:
    """One line of the list."""
    from megallm.operations.follow_batch import done_of

    return (
        batch.id,
        batch.owner,
        batch.job.task,
        state_of(batch),
        f"{batch.total:,}",
        f"{done_of(batch):,}",
        f"{batch.counts.errored:,}",
        dollars(batch),
        written(int(batch.created_at)),
        end_of(batch, now),
        batch.source.name,
    )


def rows(batch: "Batch", now: float) -> list[tuple[str, str]]:
    """All of it that a person wants to know."""
    from megallm.operations.follow_batch import done_of

    counts, spent = batch.counts, batch.spent
    told = [
        ("id", batch.id),
        ("owner", batch.owner),
        ("task", batch.job.task),
        ("file", batch.source.name or "-"),
        ("state", state_of(batch)),
    ]
    if batch.problem is not None:
        told.append(("problem", batch.problem))
    told += [
        ("items", f"{batch.total:,}, {done_of(batch):,} done"),
        ("succeeded", f"{counts.succeeded:,}"),
        ("failed", f"{counts.errored:,}"),
        ("canceled, expired", f"{counts.canceled:,}, {counts.expired:,}"),
        ("tokens in, out", f"{spent.input_tokens:,}, {spent.output_tokens:,}"),
        ("cost", dollars(batch)),
        ("created", written(int(batch.created_at))),
        ("ended, ~ expected", end_of(batch, now)),
    ]
    return told


def end_of(batch: "Batch", now: float) -> str:
    """When it ended or, with a ``~``, when it is expected to; ``-`` where nobody can tell yet."""
    from megallm.batches.expectation import expected_end_of

    if batch.ended_at is not None:
        return written(int(batch.ended_at))
    expected = expected_end_of(batch, now)
    return "-" if expected is None else f"~{written(ceil(expected))}"


def state_of(batch: "Batch") -> str:
    """The state in a person's words."""
    if batch.state == "ended" and batch.problem is not None:
        return "refused"
    return batch.state.replace("_", " ") if batch.stop is None else f"{batch.state.replace('_', ' ')} ({batch.stop})"


def dollars(batch: "Batch") -> str:
    """What it has cost so far; ``-`` where no model of it has a price."""
    known = batch.spent.dollars
    return "-" if known is None else f"${known:,.4f}"

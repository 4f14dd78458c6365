"""A live bar of a batch that runs: how far, how fast, what it used, and how long it will take."""

import time
from typing import TYPE_CHECKING

from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

from megallm.cli.batch_shown import dollars, state_of
from megallm.cli.output import notes

if TYPE_CHECKING:
    from collections.abc import Callable

    from megallm.batches.model import Batch
    from megallm.operations.batch_ports import BatchStore

# How long an intake takes at most to see a file: then somebody should have a look at it.
_INTAKE_SECONDS = 120.0
_NOT_TAKEN = (
    "The intake has not taken it yet; still waiting. Should it stay so, look into the intake's log and its dead-letter"
    " queue; on this machine, whether the gateway runs."
)


def follow(
    store: "BatchStore",
    batch_id: str,
    sleep: "Callable[[float], None]" = time.sleep,
    monotonic: "Callable[[], float]" = time.monotonic,
) -> "Batch":
    """The batch, once it has ended. The bar is on stderr, and goes away with the end.

    Where there is no terminal, there is no bar: that the intake does not take the batch is told there as well.
    """
    from megallm.operations.follow_batch import Speed, follow_batch

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TextColumn("{task.fields[told]}"))
    began, speed, is_told = monotonic(), Speed(), False
    with Progress(*columns, console=notes(), transient=True) as progress:
        bar = progress.add_task("waiting", total=None, told="for the intake to take it")
        for batch in follow_batch(store, batch_id, sleep):
            now = monotonic()
            if batch is None:
                if now - began > _INTAKE_SECONDS and not is_told:
                    is_told = True
                    progress.console.print(_NOT_TAKEN, soft_wrap=True)
                    progress.update(bar, told="for the intake, which seems not to run")
                continue
            known = speed.progress(batch, now)
            progress.update(
                bar,
                description=state_of(batch),
                total=known.total or None,
                completed=known.done,
                told=told(batch, known.items_a_second, known.seconds_left),
            )
    assert batch is not None
    return batch


def told(batch: "Batch", items_a_second: float, seconds_left: float | None) -> str:
    """What stands beside the bar."""
    tokens = batch.spent.input_tokens + batch.spent.output_tokens
    cost = "cost -" if batch.spent.dollars is None else dollars(batch)
    left = "" if seconds_left is None else f"  {duration(seconds_left)} left"
    return f"{items_a_second:,.1f}/s  {tokens:,} tokens  {cost}{left}"


def duration(seconds: float) -> str:
    """Such as 1:02:03, or 2:03."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"

"""What a command of `megallm batch` says when it has done its work, and how it waits for a batch."""

import time
from typing import TYPE_CHECKING, NoReturn

import typer

from megallm.cli.batch_shown import rows, shown
from megallm.cli.batch_target import OpenBatches
from megallm.cli.output import answering, fail, print_json, print_table

if TYPE_CHECKING:
    from megallm.batches.model import Batch

_INTERRUPTED = 130


def time_needed(input_bytes: int, tokens_a_minute: int) -> str:
    """How long a new batch will take, as far as the size of its file tells. Raises Refused for what takes too long."""
    from megallm.cli.batch_progress import duration
    from megallm.operations.batch_allowance import estimated_tokens, seconds_needed
    from megallm.operations.batch_schedule import check_time

    seconds = seconds_needed(estimated_tokens(input_bytes), tokens_a_minute)
    check_time(seconds, tokens_a_minute)
    allowed = f"At {tokens_a_minute:,} tokens a minute, which its owner's batches may use"
    return f"{allowed}, its input alone takes {duration(seconds)}; its status tells when all of it is expected."


def after_submission(opened: OpenBatches, batch_id: str, *, wait: bool, as_json: bool) -> None:
    """The id of a new batch or, with *wait*, how it ended."""
    if wait:
        print_batch(opened, followed(opened, batch_id, announced=False), as_json)
        return
    if as_json:
        print_json({"id": batch_id})
        return
    with answering():
        typer.echo(batch_id)
    typer.echo(f"Follow it with `megallm batch status {batch_id} --wait`.", err=True)


def followed(opened: OpenBatches, batch_id: str, *, announced: bool = True) -> "Batch":
    """The batch, once it has ended; its id first, unless it was *announced*. Ctrl-C ends the command, not the batch."""
    try:
        if not announced:
            typer.echo(batch_id, err=True)
        # Within the block: it takes a moment, and who has seen the id may well leave by then.
        from megallm.cli.batch_progress import follow

        return follow(opened.ports.store, batch_id)
    except KeyboardInterrupt:
        _leave(batch_id)


def _leave(batch_id: str) -> NoReturn:
    typer.echo(
        f"The batch goes on without this command. Come back with `megallm batch status {batch_id} --wait`, "
        f"read it with `megallm batch results {batch_id}`, or stop it with `megallm batch cancel {batch_id}`.",
        err=True,
    )
    raise typer.Exit(_INTERRUPTED)


def print_batch(opened: OpenBatches, batch: "Batch", as_json: bool) -> None:
    """The record and, of a dry run, what the run would cost; then what to do next."""
    estimate = _estimate(opened, batch)
    if as_json:
        print_json(shown(batch, time.time()) | ({} if estimate is None else {"estimate": estimate}))
    else:
        told = rows(batch, time.time())
        if estimate is not None:
            told += [(f"would use: {name}", "-" if value is None else f"{value:,}") for name, value in estimate.items()]
        print_table(("", ""), told)
    if batch.problem is not None:
        fail(f"the batch was refused: {batch.problem}")
    if batch.state == "ended" and batch.counts.total > batch.counts.succeeded and not as_json:
        typer.echo(f"Try the items without success again with `megallm batch retry {batch.id} --failed`.", err=True)


def _estimate(opened: OpenBatches, batch: "Batch") -> dict[str, float | None] | None:
    from pydantic_core import from_json

    from megallm.batches.model import result_key
    from megallm.operations.batch_ports import ObjectChanged

    if batch.state != "ended" or batch.problem is not None or batch.job.options.get("dry_run") is not True:
        return None
    try:
        written = b"".join(opened.ports.objects.stream(result_key(batch.id, "manifest.json")))
    except ObjectChanged:
        return None
    usage: dict[str, float | None] = from_json(written)["usage"]
    return usage

"""`megallm batch`: submitting, following, stopping and reading bulk jobs."""

import secrets
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import typer

from megallm.cli.batch_answers import after_submission, followed, print_batch, time_needed
from megallm.cli.batch_arguments import checked_job
from megallm.cli.batch_shown import COLUMNS, row, shown
from megallm.cli.batch_target import BatchesTable, Bucket, open_batches
from megallm.cli.output import Json, answering, clear_errors, fail, print_json, print_table
from megallm.cli.target import EndpointUrl, Profile, Region, Stack

app = typer.Typer(no_args_is_help=True, help="Bulk jobs: submit a file, follow it, read its results.")

BatchId = Annotated[str, typer.Argument(metavar="ID", help="The batch's id: msgbatch_ and 24 characters.")]
Wait = Annotated[bool, typer.Option("--wait", help="Stay until it has ended, with a progress bar. Ctrl-C leaves it.")]

_PIECE_BYTES = 1024 * 1024


@app.command()
def submit(
    file: Annotated[
        Path,
        typer.Argument(
            metavar="FILE", exists=True, dir_okay=False, readable=True, help=".jsonl, .json or .txt, each also .gz."
        ),
    ],
    task: Annotated[str, typer.Option(help="summarize, translate or messages.")],
    style: Annotated[str | None, typer.Option(help="summarize: bullet_points, paragraph, executive or eli5.")] = None,
    to: Annotated[
        str | None, typer.Option(metavar="LANGUAGE", help="translate: into this language, such as es.")
    ] = None,
    source: Annotated[
        str | None,
        typer.Option("--from", metavar="LANGUAGE", help="translate: from this language; found out if not given."),
    ] = None,
    model: Annotated[str | None, typer.Option(help="Summaries and translations: by this model.")] = None,
    max_tokens: Annotated[int | None, typer.Option(help="Summaries and translations: tokens of each at most.")] = None,
    id_field: Annotated[str | None, typer.Option(help="The field with an item's id, in place of custom_id.")] = None,
    text_field: Annotated[
        list[str] | None, typer.Option(help="The field with the text; more than once for several.")
    ] = None,
    max_attempts: Annotated[int | None, typer.Option(help="How often an item is tried.")] = None,
    max_cost: Annotated[
        float | None, typer.Option(metavar="USD", help="The batch stops when it has cost this much.")
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Count items, tokens and price; call no model.")] = False,
    client_token: Annotated[
        str | None, typer.Option(metavar="TOKEN", help="The same token again is the same batch.")
    ] = None,
    owner: Annotated[str | None, typer.Option(metavar="KEY-ID", help="Whose batch it is; else the operator's.")] = None,
    wait: Wait = False,
    profile: Profile = None,
    region: Region = None,
    endpoint_url: EndpointUrl = None,
    stack: Stack = None,
    table: BatchesTable = None,
    bucket: Bucket = None,
    as_json: Json = False,
) -> None:
    """Upload a file and have each of its items done. Prints the batch's id."""
    from megallm.batches.model import OPERATOR
    from megallm.operations.upload_batch import upload_batch

    options: dict[str, object] = {
        "style": style,
        "target_language_codes": None if to is None else [to],
        "source_language_code": source,
        "model": model,
        "max_tokens": max_tokens,
        "id_field": id_field,
        "text_fields": text_field or None,
        "max_attempts": max_attempts,
        "max_cost": max_cost,
        "dry_run": dry_run or None,
    }
    job = checked_job(task, {name: value for name, value in options.items() if value is not None})
    token = client_token or secrets.token_hex(16)
    owner = owner or OPERATOR
    with open_batches(profile, region, endpoint_url, table, bucket, stack) as opened:
        size, tokens_a_minute = file.stat().st_size, opened.tokens_a_minute(owner)
        told = None if tokens_a_minute is None else time_needed(size, tokens_a_minute)
        submitted = upload_batch(opened.ports, name=file.name, pieces=_pieces(file), job=job, token=token, owner=owner)
        if not submitted.is_new:
            typer.echo(f"The token {token} has made this batch before; nothing was uploaded.", err=True)
        elif told is not None:
            typer.echo(told, err=True)
        after_submission(opened, submitted.batch_id, wait=wait, as_json=as_json)


@app.command()
def status(
    batch_id: BatchId,
    wait: Wait = False,
    profile: Profile = None,
    region: Region = None,
    endpoint_url: EndpointUrl = None,
    stack: Stack = None,
    table: BatchesTable = None,
    bucket: Bucket = None,
    as_json: Json = False,
) -> None:
    """Show how far a batch is, what it used and what it cost."""
    from megallm.operations.follow_batch import find_batch

    with open_batches(profile, region, endpoint_url, table, bucket, stack) as opened:
        batch = followed(opened, batch_id) if wait else find_batch(opened.ports.store, batch_id)
        print_batch(opened, batch, as_json)


@app.command("list")
def list_(
    owner: Annotated[
        str | None, typer.Option(metavar="KEY-ID", help="Only this key's, or only the operator's.")
    ] = None,
    limit: Annotated[int, typer.Option(min=1, max=1000, help="So many at most.")] = 20,
    profile: Profile = None,
    region: Region = None,
    endpoint_url: EndpointUrl = None,
    stack: Stack = None,
    table: BatchesTable = None,
    bucket: Bucket = None,
    as_json: Json = False,
) -> None:
    """List everybody's batches, the newest first."""
    from megallm.operations.follow_batch import newest_batches

    with open_batches(profile, region, endpoint_url, table, bucket, stack) as opened:
        found = newest_batches(opened.ports.store, [owner] if owner else opened.owners(), limit)
    if as_json:
        print_json([shown(batch, time.time()) for batch in found])
    else:
        print_table(COLUMNS, [row(batch, time.time()) for batch in found])


@app.command()
def cancel(
    batch_id: BatchId,
    profile: Profile = None,
    region: Region = None,
    endpoint_url: EndpointUrl = None,
    stack: Stack = None,
    table: BatchesTable = None,
    bucket: Bucket = None,
    as_json: Json = False,
) -> None:
    """Stop a batch. What is finished is kept; it ends within seconds."""
    from megallm.operations.follow_batch import stop_batch

    with open_batches(profile, region, endpoint_url, table, bucket, stack) as opened:
        batch = stop_batch(opened.ports, batch_id, time.time())
        print_batch(opened, batch, as_json)


@app.command()
def retry(
    batch_id: BatchId,
    failed: Annotated[
        bool, typer.Option("--failed", help="The items without success: there are no others to retry.")
    ] = False,
    wait: Wait = False,
    profile: Profile = None,
    region: Region = None,
    endpoint_url: EndpointUrl = None,
    stack: Stack = None,
    table: BatchesTable = None,
    bucket: Bucket = None,
    as_json: Json = False,
) -> None:
    """Submit the items of a batch that failed or were never done again, as a batch of their own. Prints its id."""
    from megallm.operations.retry_batch import retry_failed

    if not failed:
        raise typer.BadParameter("say --failed: the items without success are submitted again", param_hint="--failed")
    with open_batches(profile, region, endpoint_url, table, bucket, stack) as opened:
        submitted = retry_failed(opened.ports, batch_id)
        if not submitted.is_new:
            typer.echo("They were submitted again before, as this batch.", err=True)
        after_submission(opened, submitted.batch_id, wait=wait, as_json=as_json)


@app.command()
def results(
    batch_id: BatchId,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", dir_okay=False, help="A file for them, in place of stdout.")
    ] = None,
    errors: Annotated[
        bool, typer.Option("--errors", help="The failed items instead, fit to be submitted again.")
    ] = False,
    profile: Profile = None,
    region: Region = None,
    endpoint_url: EndpointUrl = None,
    stack: Stack = None,
    table: BatchesTable = None,
    bucket: Bucket = None,
) -> None:
    """Print the results of a batch that has ended: JSON lines, in the order of the items."""
    from megallm.batches.model import result_key
    from megallm.operations.batch_ports import ObjectChanged
    from megallm.operations.follow_batch import find_batch

    with (
        open_batches(profile, region, endpoint_url, table, bucket, stack) as opened,
        clear_errors(ObjectChanged, say=_gone),
    ):
        batch = find_batch(opened.ports.store, batch_id)
        if batch.state != "ended":
            fail(f"the batch has not ended. Wait for it with `megallm batch status {batch_id} --wait`.")
        if batch.problem is not None:
            fail(f"the batch was refused: {batch.problem}")
        pieces = opened.ports.objects.stream(result_key(batch_id, "errors.jsonl" if errors else "results.jsonl"))
        if output is None:
            with answering():
                for piece in pieces:
                    sys.stdout.buffer.write(piece)
                sys.stdout.buffer.flush()
        else:
            _write(output, pieces)


def _pieces(file: Path) -> Iterator[bytes]:
    with file.open("rb") as opened:
        while piece := opened.read(_PIECE_BYTES):
            yield piece


def _write(output: Path, pieces: Iterator[bytes]) -> None:
    """The file appears whole or not at all."""
    part = output.with_name(f".{output.name}.part")
    with clear_errors(OSError):
        try:
            with part.open("wb") as file:
                for piece in pieces:
                    file.write(piece)
            part.replace(output)
        except BaseException:
            part.unlink(missing_ok=True)
            raise


def _gone(error: Exception) -> str:
    return "the results of this batch are no longer there"

"""`megallm keys`: making, listing, changing and revoking API keys."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated

import typer
from pydantic_core import to_json

from megallm.cli.expiry import BadExpiry, parse_expiry, written
from megallm.cli.key_arguments import checked_id, checked_name
from megallm.cli.output import Json, answering, clear_errors, print_json, print_table
from megallm.cli.target import EndpointUrl, Profile, Region, Stack, TableName, choose_target
from megallm.keys import MOST, KeyRecord, Tier, status

if TYPE_CHECKING:
    from megallm.operations.manage_keys import Numbers
    from megallm.stores.keys import DynamoKeys

app = typer.Typer(no_args_is_help=True, help="API keys: make, list, show, change and revoke them.")

KeyId = Annotated[
    str, typer.Argument(metavar="ID", help="The 8 characters after mega_, not the whole key.", callback=checked_id)
]
Rpm = Annotated[
    int | None, typer.Option("--rpm", min=1, max=MOST.requests_per_minute, help="Enterprise: requests a minute.")
]
Tpm = Annotated[
    int | None, typer.Option("--tpm", min=1, max=MOST.tokens_per_minute, help="Enterprise: tokens a minute.")
]
Concurrent = Annotated[
    int | None, typer.Option("--concurrent", min=1, max=MOST.concurrent, help="Enterprise: calls at one time.")
]


@app.command()
def create(
    name: Annotated[str, typer.Option(help="Whom or what the key is for.", callback=checked_name)] = "",
    tier: Annotated[Tier, typer.Option(help="How much the key may do.")] = "basic",
    rpm: Rpm = None,
    tpm: Tpm = None,
    concurrent: Concurrent = None,
    expires: Annotated[
        str | None, typer.Option(metavar="30d|12h|2027-12-31", help="When it ends; at most ten years.")
    ] = None,
    profile: Profile = None,
    region: Region = None,
    endpoint_url: EndpointUrl = None,
    stack: Stack = None,
    table: TableName = None,
    as_json: Json = False,
) -> None:
    """Make a key. It is shown once and stored only as a hash."""
    from megallm.operations.manage_keys import create_key

    try:
        expires_at = None if expires is None else parse_expiry(expires, datetime.now(UTC))
    except BadExpiry as error:
        raise typer.BadParameter(str(error), param_hint="--expires") from error
    with _store(profile, region, endpoint_url, stack, table) as store:
        key, record = create_key(
            store,
            name=name,
            tier=tier,
            expires_at=expires_at,
            clock=time.time,
            numbers=_numbers(rpm, tpm, concurrent),
        )
    # What cannot be written is lost: only its hash is stored.
    with answering(f"The key {record.id} is made and nobody has it: revoke it with `megallm keys revoke {record.id}`."):
        typer.echo(to_json({"key": key, **_shown(record)}, indent=2).decode() if as_json else key)
    if as_json:
        return
    typer.echo(
        f"Key {record.id}, tier {record.tier}, expires {written(record.expires_at)}. Keep it now: "
        "it is not shown again.",
        err=True,
    )


@app.command("list")
def list_(
    profile: Profile = None,
    region: Region = None,
    endpoint_url: EndpointUrl = None,
    stack: Stack = None,
    table: TableName = None,
    as_json: Json = False,
) -> None:
    """List all keys, the newest first."""
    from megallm.operations.manage_keys import list_keys

    with _store(profile, region, endpoint_url, stack, table) as store:
        records = list_keys(store)
    if as_json:
        print_json([_shown(record) for record in records])
        return
    now = time.time()
    print_table(
        ("id", "name", "tier", "status", "created (UTC)", "expires (UTC)"),
        [(r.id, r.name or "-", r.tier, status(r, now), written(r.created_at), written(r.expires_at)) for r in records],
    )


@app.command()
def show(
    key_id: KeyId,
    profile: Profile = None,
    region: Region = None,
    endpoint_url: EndpointUrl = None,
    stack: Stack = None,
    table: TableName = None,
    as_json: Json = False,
) -> None:
    """Show what is stored of a key; never the key itself."""
    from megallm.operations.manage_keys import show_key

    with _store(profile, region, endpoint_url, stack, table) as store:
        record = show_key(store, key_id)
    _print_record(record, as_json)


@app.command()
def update(
    key_id: KeyId,
    tier: Annotated[Tier | None, typer.Option(help="Another tier.")] = None,
    rpm: Rpm = None,
    tpm: Tpm = None,
    concurrent: Concurrent = None,
    profile: Profile = None,
    region: Region = None,
    endpoint_url: EndpointUrl = None,
    stack: Stack = None,
    table: TableName = None,
    as_json: Json = False,
) -> None:
    """Change a key's tier or its numbers. The gateway notices within 30 seconds."""
    from megallm.operations.manage_keys import update_key

    with _store(profile, region, endpoint_url, stack, table) as store:
        record = update_key(store, key_id, tier=tier, numbers=_numbers(rpm, tpm, concurrent))
    _print_record(record, as_json)


@app.command()
def revoke(
    key_id: KeyId,
    profile: Profile = None,
    region: Region = None,
    endpoint_url: EndpointUrl = None,
    stack: Stack = None,
    table: TableName = None,
    as_json: Json = False,
) -> None:
    """Revoke a key, for good. The gateway notices within 30 seconds."""
    from megallm.operations.manage_keys import revoke_key

    with _store(profile, region, endpoint_url, stack, table) as store:
        record = revoke_key(store, key_id, clock=time.time)
    _print_record(record, as_json)


@contextmanager
def _store(
    profile: str | None, region: str | None, endpoint_url: str | None, stack: str | None, table: str | None
) -> Iterator["DynamoKeys"]:
    """The key store that the options name; what goes wrong with it inside becomes one line."""
    from megallm.errors import GatewayError
    from megallm.stores.open_keys import NoSuchAws, open_keys

    target = choose_target(profile, region, endpoint_url, table, stack)
    with clear_errors(NoSuchAws), clear_errors(GatewayError, say=_with_cause):
        yield open_keys(target.aws, target.keys_table)


def _numbers(rpm: int | None, tpm: int | None, concurrent: int | None) -> "Numbers":
    from megallm.operations.manage_keys import Numbers

    return Numbers(requests_per_minute=rpm, tokens_per_minute=tpm, concurrent=concurrent)


def _with_cause(error: Exception) -> str:
    """The operator may see what AWS said: wrong region, no such table, no permission."""
    return f"{error}: {error.__cause__}" if error.__cause__ else str(error)


def _shown(record: KeyRecord) -> dict[str, object]:
    return {
        "id": record.id,
        "name": record.name,
        "tier": record.tier,
        "status": status(record, time.time()),
        "created_at": record.created_at,
        "expires_at": record.expires_at,
        "revoked_at": record.revoked_at,
        "limits": None if record.limits is None else asdict(record.limits),
    }


def _print_record(record: KeyRecord, as_json: bool) -> None:
    if as_json:
        print_json(_shown(record))
        return
    rows = [("id", record.id), ("name", record.name or "-"), ("tier", record.tier)]
    if record.limits is not None:
        rows += [("requests a minute", f"{record.limits.requests_per_minute:,}")]
        rows += [("tokens a minute", f"{record.limits.tokens_per_minute:,}")]
        rows += [("calls at once", f"{record.limits.concurrent:,}")]
    rows += [("status", status(record, time.time())), ("created", written(record.created_at))]
    rows += [("expires", written(record.expires_at))]
    if record.revoked_at is not None:
        rows.append(("revoked", written(record.revoked_at)))
    print_table(("", ""), rows)

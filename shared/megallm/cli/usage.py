"""`megallm usage`: what each key used in a month, its messages and its batches told apart."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated

import typer

from megallm.cli.key_arguments import checked_id
from megallm.cli.output import Json, answering, clear_errors, print_json, print_table
from megallm.cli.target import EndpointUrl, Profile, Region, Stack, choose_target, table_of

if TYPE_CHECKING:
    from megallm.stores.open_usage import OpenUsage


def _checked_key(key_id: str | None) -> str | None:
    return None if key_id is None else checked_id(key_id)


def usage(
    key_id: Annotated[
        str | None,
        typer.Option("--key", metavar="ID", help="Only this key: the 8 characters after mega_.", callback=_checked_key),
    ] = None,
    month: Annotated[
        str | None, typer.Option(metavar="YYYY-MM", help="This month, by UTC, or one of the two before it.")
    ] = None,
    profile: Profile = None,
    region: Region = None,
    endpoint_url: EndpointUrl = None,
    stack: Stack = None,
    as_json: Json = False,
) -> None:
    """Show what each key used in a month: requests, tokens and their cost by the catalogue's prices.

    Batches count in the month in which they were submitted, as long as their records are kept.
    """
    from megallm.cli.usage_shown import COLUMNS, rows, shown
    from megallm.limits.ledger import month_at, month_written
    from megallm.operations.tell_usage import tell_usage, tell_usage_of

    this_month = month_at(time.time())
    wanted = this_month if month is None else _kept_month(month, this_month)
    with _opened(profile, region, endpoint_url, stack) as stores:
        if key_id is None:
            found = tell_usage(stores.ledger, stores.keys, stores.batches, wanted)
        else:
            found = [tell_usage_of(stores.ledger, stores.keys, stores.batches, wanted, key_id)]
    name = month_written(wanted)
    if as_json:
        print_json({"month": name, **shown(found)})
        return
    with answering():
        typer.echo(f"{name} (UTC){', so far' if wanted == this_month else ''}")
    print_table(COLUMNS, rows(found))


def _kept_month(text: str, this_month: int) -> int:
    """Raises typer.BadParameter for what is no month, or none that is kept."""
    from megallm.limits.ledger import KEPT_MONTHS, month_read, month_written

    kept = range(this_month, this_month - KEPT_MONTHS, -1)
    month = month_read(text)
    if month is None or month not in kept:
        *others, last = [month_written(other) for other in kept]
        raise typer.BadParameter(f"figures are kept of {', '.join(others)} and {last}", param_hint="--month")
    return month


@contextmanager
def _opened(
    profile: str | None, region: str | None, endpoint_url: str | None, stack: str | None
) -> Iterator["OpenUsage"]:
    """What the options name; what goes wrong with it inside becomes one line."""
    from megallm.errors import GatewayError
    from megallm.stores.open_keys import NoSuchAws
    from megallm.stores.open_usage import open_usage

    target = choose_target(profile, region, endpoint_url, None, stack)
    limits, batches = table_of("limits", stack), table_of("batches", stack)
    with clear_errors(NoSuchAws), clear_errors(GatewayError, say=_with_cause):
        yield open_usage(target.aws, keys=target.keys_table, limits=limits, batches=batches)


def _with_cause(error: Exception) -> str:
    """The operator may see what AWS said: wrong region, no such table, no permission."""
    return f"{error}: {error.__cause__}" if error.__cause__ else str(error)

"""How every command speaks: tables for people, ``--json`` for scripts, errors as one clear line on stderr."""

import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Annotated, NoReturn

import typer
from pydantic_core import to_json
from rich.console import Console
from rich.table import Table

FAILED = 1
INTERRUPTED = 130

Json = Annotated[bool, typer.Option("--json", help="Print JSON, for scripts.")]


def console() -> Console:
    """The terminal; narrow where the output goes into a file is no reason to cut what it says."""
    return Console(highlight=False, soft_wrap=not sys.stdout.isatty())


def notes() -> Console:
    """The terminal's other stream, for what is not the answer: progress and warnings."""
    return Console(stderr=True, highlight=False)


def print_json(value: object) -> None:
    """One JSON document on stdout."""
    typer.echo(to_json(value, indent=2).decode())


def print_table(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """A table without frames, so that it can be read and cut alike; empty *columns* leave the header out."""
    table = Table(
        *columns, box=None, show_header=any(columns), header_style="bold", pad_edge=False, padding=(0, 2, 0, 0)
    )
    for row in rows:
        table.add_row(*row)
    console().print(table)


def fail(message: str) -> NoReturn:
    """Ends the command with one line on stderr and exit status 1."""
    typer.echo(f"megallm: {message}", err=True)
    raise typer.Exit(FAILED)


@contextmanager
def clear_errors(*expected: type[Exception], say: Callable[[Exception], str] = str) -> Iterator[None]:
    """Turns the errors that a command knows into that one line; a traceback is for those it does not know."""
    try:
        yield
    except expected as error:
        fail(say(error))

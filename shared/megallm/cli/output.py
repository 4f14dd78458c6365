"""How every command speaks: tables for people, ``--json`` for scripts, errors as one clear line on stderr."""

import os
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Annotated, NoReturn

import typer
from pydantic_core import to_json
from rich.console import Console
from rich.table import Table
from rich.text import Text

FAILED = 1
_UNBOUNDED_COLUMNS = 100_000

Json = Annotated[
    bool,
    typer.Option(
        "--json", help="Print JSON, for scripts. An error stays one line of text on stderr, with an exit status."
    ),
]


def console() -> Console:
    """The terminal; where the output goes into a file or a pipe, without a width: nothing is wrapped or cut there."""
    return Console(highlight=False, width=None if sys.stdout.isatty() else _UNBOUNDED_COLUMNS)


def notes() -> Console:
    """The terminal's other stream, for what is not the answer: progress and warnings."""
    return Console(stderr=True, highlight=False)


def print_json(value: object) -> None:
    """One JSON document on stdout."""
    with answering():
        typer.echo(to_json(value, indent=2).decode())


def print_table(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """A table without frames, so that it can be read and cut alike; empty *columns* leave the header out.

    What a cell holds is shown as it is: no markup, and control characters written out.
    """
    table = Table(box=None, show_header=any(columns), header_style="bold", pad_edge=False, padding=(0, 2, 0, 0))
    for column in columns:
        table.add_column(column, overflow="fold")
    for row in rows:
        table.add_row(*(Text(visible(cell)) for cell in row))
    with answering():
        console().print(table)


def visible(text: str) -> str:
    """The text without what a terminal would obey or hide: such characters as Python writes them in a literal."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def fail(message: str, exit_status: int = FAILED) -> NoReturn:
    """Ends the command with one line on stderr and exit status 1, or another one that the command documents."""
    typer.echo(f"megallm: {message}", err=True)
    raise typer.Exit(exit_status)


@contextmanager
def answering(then: str = "") -> Iterator[None]:
    """Around what goes to stdout: where it cannot be written, the command fails with one line, and *then* what to do.

    A reader that has seen enough, such as ``head``, is no failure, unless there is something to do.
    """
    try:
        yield
        sys.stdout.flush()
    except OSError as error:
        if isinstance(error, BrokenPipeError) and not then:
            raise
        # Python would try to write the rest once more when it ends.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        fail(f"the answer cannot be written: {error.strerror or type(error).__name__}. {then}".rstrip())


@contextmanager
def clear_errors(*expected: type[Exception], say: Callable[[Exception], str] = str) -> Iterator[None]:
    """Turns the errors that a command knows into that one line; a traceback is for those it does not know."""
    try:
        yield
    except expected as error:
        fail(say(error) or type(error).__name__)

"""`megallm models`: the catalogue, and with pull, list or remove the embedded model's files on this machine."""

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn

from megallm.cli.output import Json, clear_errors, notes, print_json, print_table

if TYPE_CHECKING:
    from megallm.catalog.models import Route

app = typer.Typer(help="Show the catalogue; pull, list or remove the embedded model's files.")

Name = Annotated[str, typer.Argument(metavar="NAME", help="tiny or default.")]


@app.callback(invoke_without_command=True)
def catalogue(context: typer.Context, as_json: Json = False) -> None:
    """Show the models that clients may name, and who answers for them."""
    if context.invoked_subcommand is not None:
        return
    from megallm.catalog.file_format import BrokenCatalog
    from megallm.composition.catalogue import load_catalog
    from megallm.settings import BrokenSettings, Settings

    with clear_errors(BrokenCatalog, BrokenSettings):
        models = load_catalog(Settings.from_environ(os.environ).catalog).models
    if as_json:
        print_json([asdict(model) | {"routes": [_route(route) for route in model.routes]} for model in models])
        return
    print_table(
        ("model", "aliases", "answered by", "context", "$ per 1M in / out"),
        [
            (
                model.id,
                ", ".join(model.aliases),
                ", then ".join(route.name for route in model.routes),
                f"{model.context_tokens:,}" if model.context_tokens else "the provider's",
                f"{model.prices.input:g} / {model.prices.output:g}" if model.prices else "",
            )
            for model in models
        ],
    )


@app.command()
def pull(name: Name, as_json: Json = False) -> None:
    """Fetch a model's file, or go on with a broken download."""
    from megallm.local import weights

    with clear_errors(weights.WeightsError):
        model = weights.known(name)
        with _bar(model.display_name, model.size_bytes) as progress:
            path = weights.pull(name, _folder(), progress=progress)
    if as_json:
        print_json({"name": name, "path": str(path), "bytes": model.size_bytes, "sha256": model.sha256})
        return
    typer.echo(path)
    typer.echo(f"{model.display_name}, {model.licence}. {model.expectation}", err=True)


@app.command("list")
def list_(as_json: Json = False) -> None:
    """List the models, and which of them are here."""
    from megallm.local import weights

    found = weights.list_local(_folder())
    if as_json:
        print_json(
            [
                {
                    "name": entry.model.name,
                    "display_name": entry.model.display_name,
                    "present": entry.present,
                    "path": str(entry.path),
                    "bytes": entry.model.size_bytes,
                    "sha256": entry.model.sha256,
                    "licence": entry.model.licence,
                    "context_tokens": entry.model.context_tokens,
                    "expectation": entry.model.expectation,
                }
                for entry in found
            ]
        )
        return
    print_table(
        ("name", "model", "here", "size", "context", "licence", "expect"),
        [
            (
                entry.model.name,
                entry.model.display_name,
                "yes" if entry.present else "no",
                f"{entry.model.size_bytes / 1e6:,.0f} MB",
                f"{entry.model.context_tokens:,}",
                entry.model.licence,
                entry.model.expectation,
            )
            for entry in found
        ],
    )


@app.command()
def remove(name: Name, as_json: Json = False) -> None:
    """Delete a model's file, and what a broken download left of it."""
    from megallm.local import weights

    with clear_errors(weights.WeightsError):
        freed = weights.remove(name, _folder())
    if as_json:
        print_json({"name": name, "freed_bytes": freed})
        return
    typer.echo(f"Freed {freed / 1e6:,.0f} MB." if freed else f"The model {name!r} was not here.")


def _route(route: "Route") -> dict[str, str]:
    return {"provider": route.provider, "model": route.model}


def _folder() -> Path:
    from megallm.local import weights

    return weights.default_folder(os.environ)


@contextmanager
def _bar(title: str, total_bytes: int) -> Iterator[Callable[[int, int], None]]:
    """A progress bar on stderr, so that stdout holds the answer alone."""
    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TimeRemainingColumn())
    with Progress(*columns, console=notes(), transient=True) as progress:
        task = progress.add_task(title, total=total_bytes)

        def show(done: int, total: int) -> None:
            progress.update(task, completed=done, total=total)

        yield show

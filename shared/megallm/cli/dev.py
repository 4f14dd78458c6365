"""`megallm dev`: the local stack in the foreground."""

import os
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from megallm.cli.output import Json, clear_errors, console, notes, print_json

if TYPE_CHECKING:
    from megallm.local.model_choice import ChosenModel
    from megallm.local.state import LocalState


def dev(
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port on 127.0.0.1; 0 takes a free one.")] = 4141,
    model: Annotated[
        str, typer.Option(help="default (usable, 1.1 GB), tiny (fluent nonsense, 98 MB) or the path of a .gguf file.")
    ] = "default",
    threads: Annotated[
        int | None, typer.Option(min=1, help="CPU threads of the model; all cores but one if not given.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Run the whole stack on this machine: gateway, local AWS and a model. Ctrl-C stops it."""
    from megallm.catalog.file_format import BrokenCatalog
    from megallm.local.ports import PortTaken
    from megallm.local.stack import Wanted, run
    from megallm.local.state import AlreadyRunning, UnreadableState, find
    from megallm.local.weights import WeightsError, default_folder
    from megallm.providers.embedded.errors import EmbeddedUnavailable
    from megallm.settings import BrokenSettings

    def announce(state: "LocalState", chosen: "ChosenModel | None") -> None:
        if as_json:
            print_json(asdict(state))
        else:
            from megallm.local.banner import show

            show(state, chosen, console())

    wanted = Wanted(port, model, threads, default_folder(os.environ), find(Path.cwd()))
    expected = (PortTaken, WeightsError, BrokenSettings, BrokenCatalog, EmbeddedUnavailable, OSError)
    with clear_errors(AlreadyRunning, UnreadableState, *expected):
        run(wanted, environ=os.environ, console=notes(), announce=announce)

"""Which model file the local stack runs, from what the user asked for and what this machine can get."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn

from megallm.local.weights import MODELS, WeightsError, list_local, pull, resolve

FALLBACK = "tiny"


@dataclass(frozen=True, slots=True)
class ChosenModel:
    """A model file that is there, its name, and one sentence on what to expect of it."""

    name: str
    path: Path
    expectation: str


class Pull(Protocol):
    """Fetches the model of a name: ``weights.pull``, or a test's stand-in."""

    def __call__(self, name: str, folder: Path, *, progress: Callable[[int, int], None]) -> Path: ...


def choose(model: str, folder: Path, console: Console, pull: Pull = pull) -> ChosenModel:
    """The model of a name or of a path; fetched, with its progress shown, where it is not there yet.

    If the default cannot be had, the tiny one takes its place, and the console says so. Raises WeightsError.
    """
    if model not in MODELS:
        path = resolve(model, folder)
        return ChosenModel(path.name, path, "A file of your own: what to expect of it is yours to know.")
    try:
        return _fetched(model, folder, console, pull)
    except WeightsError as error:
        if model == FALLBACK:
            raise
        console.print(f"The model {model!r} cannot be had: {error}", style="bold red", markup=False)
        console.print(
            f"Going on with {FALLBACK!r}, whose answers are FLUENT NONSENSE. Run the command again for another try.",
            style="bold red",
            markup=False,
        )
        return _fetched(FALLBACK, folder, console, pull)


def _fetched(name: str, folder: Path, console: Console, pull: Pull) -> ChosenModel:
    known = MODELS[name]
    if not any(local.present for local in list_local(folder) if local.model.name == name):
        console.print(f"Fetching {known.display_name}, once, into {folder}", highlight=False, markup=False)
    columns = (TextColumn("  "), BarColumn(), DownloadColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as bar:
        task = bar.add_task("", total=None, visible=False)
        path = pull(
            name,
            folder,
            progress=lambda done, total: bar.update(task, completed=done, total=total, visible=True),
        )
    return ChosenModel(name, path, known.expectation)

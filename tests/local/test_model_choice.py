"""Which model the local stack runs, and how the user learns it."""

import io
from collections.abc import Callable
from pathlib import Path

import pytest
from rich.console import Console

from megallm.local.model_choice import ChosenModel, choose
from megallm.local.weights import MODELS, WeightsError


def pull_all_but(*missing: str) -> Callable[..., Path]:
    """A ``pull`` that delivers every model except these."""

    def pull(name: str, folder: Path, *, progress: Callable[[int, int], None]) -> Path:
        if name in missing:
            raise WeightsError("no network")
        progress(1, 2)
        return folder / name

    return pull


def test_a_model_of_the_list_comes_with_what_to_expect_of_it(tmp_path: Path) -> None:
    """The banner says it where the user reads it."""
    chosen = choose("default", tmp_path, Console(file=io.StringIO()), pull_all_but())

    assert chosen == ChosenModel("default", tmp_path / "default", MODELS["default"].expectation)


def test_without_the_default_model_the_tiny_one_takes_over_loudly(tmp_path: Path) -> None:
    """Nobody should take its nonsense for what the gateway can do."""
    output = io.StringIO()

    chosen = choose("default", tmp_path, Console(file=output, width=200), pull_all_but("default"))

    assert chosen == ChosenModel("tiny", tmp_path / "tiny", MODELS["tiny"].expectation)
    assert "The model 'default' cannot be had: no network" in output.getvalue()
    assert "Going on with 'tiny', whose answers are FLUENT NONSENSE." in output.getvalue()


def test_without_the_tiny_model_there_is_nothing_to_fall_back_to(tmp_path: Path) -> None:
    """The reason reaches the user."""
    with pytest.raises(WeightsError, match="no network"):
        choose("default", tmp_path, Console(file=io.StringIO()), pull_all_but("default", "tiny"))


def test_a_file_of_the_users_own_is_taken_as_it_is(tmp_path: Path) -> None:
    """Nothing is fetched for it."""
    path = tmp_path / "mine.gguf"
    path.write_bytes(b"GGUF....")

    chosen = choose(str(path), tmp_path, Console(file=io.StringIO()), pull_all_but("default", "tiny"))

    assert (chosen.name, chosen.path) == ("mine.gguf", path)

"""The README's first requests, run as printed against a real local stack."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.contract.js import install
from tests.local.running import running_stack
from tests.readme.snippets import snippets

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def environ(tiny_model: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """What the README tells its reader to export."""
    with running_stack(tmp_path_factory.mktemp("clone")) as stack:
        state = stack.state()
        yield {**os.environ, "MEGALLM_BASE_URL": state.base_url, "MEGALLM_API_KEY": state.api_key}


def run(command: list[str | Path], environ: dict[str, str], folder: Path) -> str:
    finished = subprocess.run(
        command, env=environ, cwd=folder, capture_output=True, text=True, timeout=300, check=False
    )
    assert finished.returncode == 0, finished.stderr
    return finished.stdout


def test_curl(environ: dict[str, str], tmp_path: Path) -> None:
    """The shell snippets after the exports, with a key."""
    _, curl = snippets("sh")

    message = json.loads(run(["sh", "-c", curl], environ, tmp_path))

    assert (message["type"], message["model"]) == ("message", "claude-sonnet-4")


def test_python(environ: dict[str, str], tmp_path: Path) -> None:
    """It streams text."""
    (script,) = snippets("python")
    (tmp_path / "first.py").write_text(script)

    assert run([sys.executable, tmp_path / "first.py"], environ, tmp_path).strip()


def test_typescript(environ: dict[str, str], tmp_path: Path) -> None:
    """Node runs TypeScript as it is, by leaving the types out."""
    (script,) = snippets("typescript")
    (tmp_path / "first.mts").write_text(script)
    (tmp_path / "node_modules").symlink_to(install.FOLDER / "node_modules")
    wheel = install.wheel()
    assert wheel is not None

    assert run([install.node_of(wheel), "--no-warnings", tmp_path / "first.mts"], environ, tmp_path).strip()


def test_the_readme_has_one_snippet_for_each_language() -> None:
    """Two of them for the shell: the exports and curl."""
    languages = ("sh", "python", "typescript", "go", "ruby")

    assert {language: len(snippets(language)) for language in languages} == {
        "sh": 2,
        "python": 1,
        "typescript": 1,
        "go": 1,
        "ruby": 1,
    }

"""The `megallm` command itself."""

import subprocess
import sys
from pathlib import Path

from megallm import __version__
from tests.local.running import megallm


def test_the_version_is_one_line(tmp_path: Path) -> None:
    """For bug reports."""
    ended = megallm(tmp_path, "--version")

    assert (ended.status, ended.stdout, ended.stderr) == (0, f"megallm {__version__}\n", "")


def test_help_names_every_command_and_where_to_start(tmp_path: Path) -> None:
    """It is the first thing that a newcomer types."""
    ended = megallm(tmp_path, "--help")

    assert ended.status == 0
    assert [
        word
        for word in ("batch", "connect", "dev", "keys", "models", "Start with: megallm dev")
        if word not in ended.stdout
    ] == []


def test_help_does_not_wait_for_what_it_does_not_need() -> None:
    """Shell completion starts the command at each press of the tab key."""
    slow = ("boto3", "moto", "fastapi", "uvicorn", "xllamacpp", "httpx")
    code = f"import sys, megallm.cli.app; print([name for name in {slow} if name in sys.modules])"

    loaded = subprocess.run([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True, check=True).stdout

    assert loaded == "[]\n"

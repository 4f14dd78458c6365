"""How `make run` hands on what the user says."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

MAKEFILE = Path(__file__).parents[2] / "Makefile"


@pytest.mark.skipif(shutil.which("make") is None, reason="make is not on this machine")
@pytest.mark.parametrize(
    ("given", "handed_on"),
    [
        ([], ["4141", "default"]),
        (["MODEL=", "PORT="], ["4141", "default"]),
        (["MODEL=tiny", "PORT=0"], ["0", "tiny"]),
        (['MODEL=/my models/it\'s; echo "this".gguf'], ["4141", '/my models/it\'s; echo "this".gguf']),
    ],
)
@pytest.mark.parametrize("by", ["argument", "environment"])
def test_port_and_model_arrive_as_they_were_written(
    tmp_path: Path, given: list[str], handed_on: list[str], by: str
) -> None:
    """A path may have spaces and quotes; an empty value is the default."""
    shutil.copy(MAKEFILE, tmp_path)
    bootstrap = tmp_path / "shared" / "megallm" / "local" / "bootstrap.py"
    bootstrap.parent.mkdir(parents=True)
    bootstrap.touch()
    python = tmp_path / ".venv" / "bin" / "python"
    python.parent.mkdir(parents=True)
    python.write_text('#!/bin/sh\nprintf "%s\\n" "$@"\n')
    python.chmod(0o755)
    environ = {name: value for name, value in os.environ.items() if name not in ("PORT", "MODEL", "MAKEFLAGS")}
    if by == "environment":
        environ |= dict(pair.split("=", 1) for pair in given)
        given = []

    done = subprocess.run(
        ["make", "--no-print-directory", "run", *given], cwd=tmp_path, env=environ, capture_output=True, text=True
    )

    port, model = handed_on
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.splitlines() == ["-m", "megallm", "dev", "--port", port, "--model", model]

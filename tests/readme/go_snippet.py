"""The README's Go snippet, as printed. Needs Go and its module proxy, so it is not collected: `make test-go`."""

import os
import shutil
import subprocess
from pathlib import Path

from tests.local.running import running_stack
from tests.readme.snippets import snippets

MODULE = Path(__file__).parent / "go"


def test_go(tiny_model: Path, tmp_path: Path) -> None:
    """It compiles against the pinned SDK and prints a reply."""
    (source,) = snippets("go")
    program = tmp_path / "first"
    shutil.copytree(MODULE, program)
    (program / "main.go").write_text(source)

    with running_stack(tmp_path) as stack:
        state = stack.state()
        environ = {**os.environ, "MEGALLM_BASE_URL": state.base_url, "MEGALLM_API_KEY": state.api_key}
        finished = subprocess.run(
            ["go", "run", "."], cwd=program, env=environ, capture_output=True, text=True, timeout=300, check=False
        )

    assert finished.returncode == 0, finished.stderr
    assert finished.stdout.strip()

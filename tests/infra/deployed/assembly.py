"""Synthesizes the stack over the real bundle, as a program: with CDK and its Node out of the tests' own process.

python -m tests.infra.deployed.assembly FOLDER '{"streaming": "off"}'
"""

import json
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from infra import cli
from tests.infra.bundle.unpacked import copy_sources
from tests.infra.synthesis import ROOT


def synthesize(folder: Path, context: Mapping[str, object]) -> Path:
    """The folder of the cloud assembly."""
    command = [sys.executable, "-m", "tests.infra.deployed.assembly", str(folder), json.dumps(context)]
    finished = subprocess.run(command, cwd=ROOT, env=cli.environment(), capture_output=True, text=True, check=False)
    assert finished.returncode == 0, finished.stdout + finished.stderr
    return folder / "assembly"


def main(folder: Path, context: Mapping[str, object]) -> None:
    """Builds and synthesizes."""
    from aws_cdk import App

    from infra.app import make
    from infra.bundle.build import build
    from infra.options import Options

    flags = json.loads((ROOT / "cdk.json").read_text())["context"]
    app = App(outdir=str(folder / "assembly"), context={**flags, **context})
    options = Options.from_context(app.node.get_all_context())
    make(app, options, build(options, folder / "built", copy_sources(folder / "sources")))
    app.synth()


if __name__ == "__main__":
    main(Path(sys.argv[1]), json.loads(sys.argv[2]))

"""Makes the templates of given options, over a bundle that is empty: what is in it does not matter to the stack.

A program of its own, so that whoever only collects tests does not start Node and load CDK, which takes seconds:

    python -m tests.infra.synthesis FOLDER '{"NAME": {"streaming": "off"}}'

writes FOLDER/NAME/, a cloud assembly each. Fails where cdk-nag finds anything.
"""

import json
import os
import subprocess
import sys
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from infra import cli
from infra.bundle.files import Bundle

ROOT = Path(__file__).resolve().parents[2]

Template = Mapping[str, Any]  # Any: CloudFormation's JSON
Context = Mapping[str, object]


def synthesize(folder: Path, contexts: Mapping[str, Context]) -> dict[str, Path]:
    """The template files by the names of their contexts."""
    command = [sys.executable, "-m", "tests.infra.synthesis", str(folder), json.dumps(contexts)]
    finished = subprocess.run(command, cwd=ROOT, env=cli.environment(), capture_output=True, text=True, check=False)
    assert finished.returncode == 0, finished.stdout + finished.stderr
    return {name: next((folder / name).glob("*.template.json")) for name in contexts}


def main(folder: Path, contexts: Mapping[str, Context]) -> None:
    """Writes the assemblies."""
    from aws_cdk import App

    from infra.app import make
    from infra.options import Options

    flags = json.loads((ROOT / "cdk.json").read_text())["context"]  # the CLI's own part of reading it
    bundle = _empty_bundle(folder)
    for name, context in contexts.items():
        app = App(outdir=str(folder / name), context={**flags, **context})
        make(app, Options.from_context(app.node.get_all_context()), bundle)
        app.synth()


def _empty_bundle(folder: Path) -> Bundle:
    paths = [folder / "function.zip", folder / "schemas.zip"]
    for path in paths:
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("empty.py", "")
    return Bundle(paths[0], paths[1], "digest", "python3.12", "arm64")


def resources(template: Template, kind: str) -> dict[str, dict[str, Any]]:
    """The properties of all resources of a type, by their name in the template."""
    return {
        name: resource.get("Properties", {})
        for name, resource in template["Resources"].items()
        if resource["Type"] == kind
    }


def text_of(value: Any) -> str:  # Any: CloudFormation's JSON
    """A value with its references as ``<Name>`` or ``<Name.Attribute>``."""
    match value:
        case {"Ref": name}:
            return f"<{name}>"
        case {"Fn::GetAtt": [name, attribute]}:
            return f"<{name}.{attribute}>"
        case {"Fn::Join": [separator, parts]}:
            return str(separator).join(text_of(part) for part in parts)
        case _:
            return str(value)


if __name__ == "__main__":
    os.environ["JSII_NODE"] = str(cli.node())
    main(Path(sys.argv[1]), json.loads(sys.argv[2]))

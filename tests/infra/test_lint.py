"""The templates as CloudFormation's own linter sees them; cdk-nag has passed where there is a template at all."""

import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow

# CDK names a function's role twice: as what it uses and as what it waits for.
_CDKS_OWN = "W3005"


def test_the_templates_are_clean(templates: dict[str, Path]) -> None:
    """In a region that has everything, and in one that gets things later."""
    command = [str(Path(sys.executable).with_name("cfn-lint")), "--ignore-checks", _CDKS_OWN]
    command += ["--regions", "us-east-1", "eu-central-1", "--format", "parseable"]

    finished = subprocess.run(
        [*command, "--template", *map(str, templates.values())], capture_output=True, text=True, check=False
    )

    assert (finished.returncode, finished.stdout) == (0, "")

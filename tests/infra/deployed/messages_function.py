"""The messages function over the deployed stack: the bundle's own, under our runtime, which no emulator drives."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from signal import SIGTERM

from infra.bundle.files import Bundle
from tests.functions.streaming.api_gateway import ApiGateway
from tests.functions.streaming.running import Lambda, environment, wrapped
from tests.infra.bundle.unpacked import native_architecture, unpack
from tests.infra.deployed.deployment import Deployed


@contextmanager
def serving(deployed: Deployed, folder: Path, endpoint_url: str) -> Iterator[str]:
    """The base URL of an API Gateway in STREAM mode before it; *endpoint_url* is AWS to it.

    With the settings of the function that answers everything else: the stack gives both the same.
    """
    found = unpack(_bundle(deployed.assembly), folder)
    variables = {
        **deployed.emulator.environment(),
        **deployed.variables("megallm-api"),
        "AWS_ENDPOINT_URL": endpoint_url,
        "LAMBDA_TASK_ROOT": str(found.task),
        "PYTHONPATH": str(found.layer),
        "PYTHONDONTWRITEBYTECODE": "1",
    }
    with Lambda(wrapped(found.task), environment(**variables), found.task) as started:
        gateway = ApiGateway(started.api)
        started.wait(gateway.__aenter__())
        try:
            yield gateway.url
        finally:
            started.wait(gateway.__aexit__(None, None, None))
        assert (started.end(SIGTERM), started.errors) == (0, "")


def _bundle(assembly: Path) -> Bundle:
    """The assets that the template names, as they were built."""
    (template_path,) = assembly.glob("*.template.json")
    resources = json.loads(template_path.read_text())["Resources"].values()
    (code,) = {each["Properties"]["Code"]["S3Key"] for each in resources if each["Type"] == "AWS::Lambda::Function"}
    (layer,) = [
        each["Properties"]["Content"]["S3Key"] for each in resources if each["Type"] == "AWS::Lambda::LayerVersion"
    ]
    return Bundle(assembly / f"asset.{code}", assembly / f"asset.{layer}", "", "", native_architecture())

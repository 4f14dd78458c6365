"""The templates that all tests of the stack look at, made once."""

import json
from pathlib import Path

import pytest

from tests.infra.synthesis import ROOT, Template, synthesize

OWN_CATALOG = """
[providers.claude]
kind = "anthropic"
api_key = "secretsmanager:claude-key#value"

[providers.gpt]
kind = "openai"
api_key = "ssm:/megallm/openai"

[[models]]
id = "claude-sonnet-5-5"
display_name = "Claude"
routes = [
    { provider = "claude", model = "claude-sonnet-5-5" },
    { provider = "gpt", model = "gpt-5" },
    { provider = "bedrock", model = "eu.anthropic.claude-sonnet-5-5" },
]
"""


@pytest.fixture(scope="session")
def templates(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """The template files: of the defaults, and of a stack in which everything is chosen otherwise."""
    folder = tmp_path_factory.mktemp("stacks")
    catalog = folder / "own.toml"
    catalog.write_text(OWN_CATALOG)
    tiers = ROOT / "shared" / "megallm" / "limits" / "tiers.toml"
    chosen = {
        "name": "other",
        "streaming": "off",
        "architecture": "arm64",
        "catalog": str(catalog),
        "tiers": str(tiers),
        "strict": "true",
        "secrets_key_arn": SECRETS_KEY,
        "log_days": "7",
        "result_days": "29",
        "retain_data": "false",
        "alarm_email": "somebody@example.com",
        "domain_name": "llm.example.com",
        "certificate_arn": CERTIFICATE,
        "batch_concurrency": "8",
        "upstream_timeout_seconds": "120",
        "key_cache_seconds": "5",
    }
    adapter = {"name": "adapted", "streaming": "adapter", "adapter_layer_arn": ADAPTER_LAYER}
    return synthesize(folder, {"default": {}, "chosen": chosen, "adapter": adapter})


CERTIFICATE = "arn:aws:acm:eu-central-1:123456789012:certificate/abc"
SECRETS_KEY = "arn:aws:kms:eu-central-1:123456789012:key/abc"
ADAPTER_LAYER = "arn:aws:lambda:eu-central-1:123456789012:layer:Adapter:1"


@pytest.fixture(scope="session")
def template(templates: dict[str, Path]) -> Template:
    """Of a stack with nothing but defaults."""
    return _read(templates["default"])


@pytest.fixture(scope="session")
def chosen(templates: dict[str, Path]) -> Template:
    """Of a stack in which everything is chosen otherwise."""
    return _read(templates["chosen"])


@pytest.fixture(scope="session")
def adapted(templates: dict[str, Path]) -> Template:
    """Of a stack that streams through AWS's adapter."""
    return _read(templates["adapter"])


def _read(path: Path) -> Template:
    template: Template = json.loads(path.read_text())
    return template

"""What a catalogue needs of AWS: models by their ARNs, secrets by theirs."""

from pathlib import Path

import pytest

from infra.upstreams import Needs, Place, UndeployableCatalog, model_arns, needs
from megallm.catalog.file_format import load

HERE = Place("aws", "eu-central-1", "123456789012")


@pytest.mark.parametrize(
    ("model", "arns"),
    [
        ("anthropic.claude-opus-4-7", ["arn:aws:bedrock:eu-central-1::foundation-model/anthropic.claude-opus-4-7"]),
        ("zai.glm-4.7", ["arn:aws:bedrock:eu-central-1::foundation-model/zai.glm-4.7"]),
        (
            "global.anthropic.claude-opus-4-7",
            [
                "arn:aws:bedrock:eu-central-1:123456789012:inference-profile/global.anthropic.claude-opus-4-7",
                "arn:aws:bedrock:eu-central-1::foundation-model/anthropic.claude-opus-4-7",
                "arn:aws:bedrock:::foundation-model/anthropic.claude-opus-4-7",
            ],
        ),
        (
            "eu.amazon.nova-pro-v1:0",
            [
                "arn:aws:bedrock:eu-central-1:123456789012:inference-profile/eu.amazon.nova-pro-v1:0",
                "arn:aws:bedrock:*::foundation-model/amazon.nova-pro-v1:0",
            ],
        ),
        (
            "us-gov.anthropic.claude-x",
            [
                "arn:aws:bedrock:eu-central-1:123456789012:inference-profile/us-gov.anthropic.claude-x",
                "arn:aws:bedrock:*::foundation-model/anthropic.claude-x",
            ],
        ),
        (
            "arn:aws:bedrock:us-east-1:123456789012:application-inference-profile/abc",
            ["arn:aws:bedrock:us-east-1:123456789012:application-inference-profile/abc"],
        ),
    ],
)
def test_a_model_needs_its_profile_and_itself_where_it_may_run(model: str, arns: list[str]) -> None:
    """A call through a profile is checked against both."""
    assert model_arns(model, HERE) == arns


CATALOG = """
[providers.claude]
kind = "anthropic"
api_key = "{key}"

[providers.far]
kind = "bedrock"
region = "us-west-2"

[[models]]
id = "m"
display_name = "M"
routes = [{{ provider = "claude", model = "x" }}, {{ provider = "far", model = "meta.llama" }}]
"""


def _needs(tmp_path: Path, key: str) -> Needs:
    path = tmp_path / "catalog.toml"
    path.write_text(CATALOG.format(key=key))
    return needs(load(str(path)), HERE)


@pytest.mark.parametrize(
    ("key", "secrets", "parameters"),
    [
        ("secretsmanager:key", ["arn:aws:secretsmanager:eu-central-1:123456789012:secret:key-??????"], []),
        ("secretsmanager:a/key#member", ["arn:aws:secretsmanager:eu-central-1:123456789012:secret:a/key-??????"], []),
        (
            "secretsmanager:arn:aws:secretsmanager:eu-west-1:123456789012:secret:key-AbCdEf#member",
            ["arn:aws:secretsmanager:eu-west-1:123456789012:secret:key-AbCdEf"],
            [],
        ),
        ("ssm:/a/key", [], ["arn:aws:ssm:eu-central-1:123456789012:parameter/a/key"]),
        ("ssm:key", [], ["arn:aws:ssm:eu-central-1:123456789012:parameter/key"]),
        ("ssm:arn:aws:ssm:eu-west-1:123456789012:parameter/x", [], ["arn:aws:ssm:eu-west-1:123456789012:parameter/x"]),
    ],
)
def test_an_upstreams_key_is_named_by_its_reference(
    tmp_path: Path, key: str, secrets: list[str], parameters: list[str]
) -> None:
    """And its models by the region of their provider."""
    models = ("arn:aws:bedrock:us-west-2::foundation-model/meta.llama",)

    assert _needs(tmp_path, key) == Needs(models, tuple(secrets), tuple(parameters))


def test_a_key_in_the_environment_cannot_be_deployed(tmp_path: Path) -> None:
    """It would stand in the function's settings for all to read."""
    with pytest.raises(UndeployableCatalog, match=r"^claude has its key in the environment \(env:ANTHROPIC_API_KEY\)"):
        _needs(tmp_path, "env:ANTHROPIC_API_KEY")


def test_the_embedded_model_cannot_be_deployed() -> None:
    """The catalogue of one's own machine names it."""
    with pytest.raises(UndeployableCatalog, match=r"^embedded is the model on one's own machine"):
        needs(load("local"), HERE)

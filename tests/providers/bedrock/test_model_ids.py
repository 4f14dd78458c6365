"""Names of models in URLs, and without their geography."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from yarl import URL

from megallm.providers.bedrock.model_ids import base_model, path_of

PROFILE = "arn:aws:bedrock:us-east-1:123456789012:inference-profile/us.anthropic.claude-sonnet-4-5-20250929-v1:0"


def test_an_arn_is_one_step_of_the_path() -> None:
    """Its slashes are no borders."""
    assert path_of(PROFILE, "invoke") == (
        "/model/arn:aws:bedrock:us-east-1:123456789012:inference-profile%2F"
        "us.anthropic.claude-sonnet-4-5-20250929-v1:0/invoke"
    )


# Source: InvokeModelIdentifier of https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_InvokeModel.html
@given(st.from_regex(r"[a-zA-Z0-9][a-zA-Z0-9_.:/-]*", fullmatch=True))
def test_a_path_is_in_the_normal_form_of_the_http_client(model: str) -> None:
    """Or it would not be the one that was signed."""
    url = f"https://h.invalid{path_of(model, 'invoke')}"

    assert str(URL(url)) == url


@pytest.mark.parametrize(
    ("model", "base"),
    [
        ("anthropic.claude-haiku-4-5-20251001-v1:0", "anthropic.claude-haiku-4-5-20251001-v1:0"),
        ("us.anthropic.claude-haiku-4-5-20251001-v1:0", "anthropic.claude-haiku-4-5-20251001-v1:0"),
        ("global.anthropic.claude-opus-4-6-v1", "anthropic.claude-opus-4-6-v1"),
        ("deepseek.v3.2", "deepseek.v3.2"),
        (PROFILE, "anthropic.claude-sonnet-4-5-20250929-v1:0"),
        ("arn:aws:bedrock:us-east-1::foundation-model/amazon.nova-lite-v1:0", "amazon.nova-lite-v1:0"),
        ("arn:aws:bedrock:us-east-1:123456789012:application-inference-profile/abc123", None),
        ("arn:aws:bedrock:us-east-1:123456789012:provisioned-model/abc123", None),
    ],
)
def test_the_model_behind_a_name(model: str, base: str | None) -> None:
    """CountTokens knows it by no other."""
    assert base_model(model) == base

"""Which of an operator's settings are secrets, and texts without them."""

from megallm.providers.anthropic.client import AnthropicSettings
from megallm.providers.masking import masked, masked_in, secrets_of
from megallm.providers.openai.client import OpenAISettings


def test_values_and_credentials_behind_a_scheme_are_secrets() -> None:
    """Not what names a version or a kind of content, nor what stands in many a word."""
    headers = {"Authorization": "Bearer sk-0123", "X-Flag": "on", "Content-Type": "application/json"}

    assert secrets_of(headers, {"key": "abcdef", "api-version": "2025-04-01"}) == {
        "Bearer sk-0123",
        "Bearer%20sk-0123",
        "sk-0123",
        "abcdef",
    }


def test_the_parts_of_a_header_are_secrets_each() -> None:
    """A server may repeat one cookie, one parameter, or a URL with the value as it has to be written there."""
    secrets = secrets_of({"Cookie": "session=abc123def; token=xyz789uvw", "X-Auth": 'Token token="sekrit99=="'})

    shown = ["abc123def", "xyz789uvw", "sekrit99==", "session%3Dabc123def%3B%20token%3Dxyz789uvw"]
    assert [masked(text, secrets) for text in shown] == ["***", "***", "***", "***"]


def test_a_secret_that_holds_another_leaves_nothing_of_itself() -> None:
    """The longer one goes first."""
    assert masked("abc and abcdef", {"abc", "abcdef"}) == "*** and ***"


def test_json_keeps_its_shape() -> None:
    """Names and numbers stay."""
    value = {"secret": ["a secret", 7, None], "deep": {"er": "secret"}}

    assert masked_in(value, {"secret"}) == {"secret": ["a ***", 7, None], "deep": {"er": "***"}}


def test_a_client_s_settings_do_not_print_them() -> None:
    """Somebody may log the object."""
    secret = {"x-key": "sk-0123"}

    assert "sk-0123" not in repr([AnthropicSettings(headers=secret), OpenAISettings("u", headers=secret, query=secret)])

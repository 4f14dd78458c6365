"""Which of an operator's settings are secrets, and texts without them."""

from base64 import b64encode

from megallm.providers.anthropic.client import AnthropicSettings
from megallm.providers.bedrock.provider import BedrockSettings
from megallm.providers.masking import masked, masked_in, secrets_of, userinfo
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
    secret, url, path = {"x-key": "sk-0123"}, "https://me:sk-0123@house", "/sk-0123/chat"
    settings = [
        AnthropicSettings(url, headers=secret),
        OpenAISettings(url, path, query=secret, headers=secret, body=secret, tokenize_path=path),
        BedrockSettings(endpoint_url=url),
    ]

    assert "sk-0123" not in repr(settings)


def test_the_credentials_in_an_address_are_secrets() -> None:
    """As they stand there, as they are meant, and as a header has them."""
    secrets = secrets_of(userinfo("https://house:p%40ssword@example.invalid/v1"))

    shown = ["house:p%40ssword", "house:p@ssword", "p@ssword", b64encode(b"house:p@ssword").decode()]
    assert [masked(text, secrets) for text in shown] == ["***", "***", "***", "***"]
    assert userinfo("https://example.invalid/v1@2") == {}

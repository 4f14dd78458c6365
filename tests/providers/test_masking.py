"""Which of an operator's settings are secrets, and texts without them."""

from base64 import b64encode
from urllib.parse import quote

import pytest

from megallm.providers.anthropic.client import AnthropicSettings
from megallm.providers.bedrock.provider import BedrockSettings
from megallm.providers.masking import keys_in, masked, masked_in, secrets_of, userinfo
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


@pytest.mark.parametrize(
    ("value", "parts"),
    [
        ("session=topsecretvalue; b=other99", {"topsecretvalue", "other99"}),
        ("key=abcdefgh;region=euwest", {"abcdefgh", "euwest"}),
        ("abcdefgh,ijklmnop", {"abcdefgh", "ijklmnop"}),
        ("Bearer abcdefgh", {"abcdefgh"}),
        (" Token  token=abcdefgh, x=1", {"abcdefgh"}),
    ],
)
def test_a_part_of_letters_alone_is_a_secret_too(value: str, parts: set[str]) -> None:
    """A scheme is only what a value begins with, before a space."""
    assert secrets_of({"x-keys": value}) == {value, quote(value, safe=""), *parts}


def test_of_a_body_what_is_named_as_a_secret_is_one() -> None:
    """At any depth; what else an operator has every request say may stand in an error."""
    body = {
        "api_key": "sk-0123",
        "extra": {"headers": [{"Authorization": "Bearer sk-4567"}], "clientSecret": {"of": ["sk-89ab", 1]}},
        "max_tokens": 5,
        "tokenizer": "llama-3",
        "model_options": ["fast-one"],
    }

    assert keys_in(body) == {
        ".api_key": "sk-0123",
        ".extra.headers.0.Authorization": "Bearer sk-4567",
        ".extra.clientSecret.of.0": "sk-89ab",
    }
    assert "sk-4567" in secrets_of(keys_in(body))


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
    secrets = secrets_of(userinfo("https://house:p%40ssw%C3%B6rd@example.invalid/v1"))

    in_headers = [b64encode("house:p@sswörd".encode(encoding)).decode() for encoding in ("utf-8", "latin-1")]
    shown = ["house:p%40ssw%C3%B6rd", "house:p@sswörd", "p@sswörd", *in_headers]
    assert [masked(text, secrets) for text in shown] == ["***"] * 5
    assert secrets_of(userinfo("https://house:p€ssword@example.invalid")) > {"p€ssword"}
    assert userinfo("https://example.invalid/v1@2") == {}

"""The headers of a provider: what could not be sent as one is refused at start."""

import pytest

from megallm.catalog.file_format import BrokenCatalog, parse
from megallm.catalog.upstreams import AnthropicUpstream, OpenAIUpstream

MODEL = '[[models]]\nid = "a"\ndisplay_name = "A"\nroutes = [{ provider = "p", model = "m" }]\n'
NAME = "Value error, a header's name has letters, digits and !#$%&'*+.^_`|~- alone"
VALUE = "Value error, a header holds no control characters but tabs"


def provider(member: str, kind: str = "openai") -> str:
    """A catalogue with one provider, whose member is on line 3."""
    return f'[providers.p]\nkind = "{kind}"\n{member}\n{MODEL}'


@pytest.mark.parametrize("kind", ["openai", "anthropic"])
@pytest.mark.parametrize(
    ("member", "told"),
    [
        (r'headers = { x = "sk-0123\nb" }', f"headers.x: {VALUE}"),
        (r'headers = { x = "sk-0123\rb" }', f"headers.x: {VALUE}"),
        (r'headers = { x = "sk-0123\u0000" }', f"headers.x: {VALUE}"),
        (r'headers = { x = "sk-0123\u007f" }', f"headers.x: {VALUE}"),
        (r'headers = { x = "sk-0123\u0085" }', f"headers.x: {VALUE}"),
        ('headers = { "x y" = "sk-0123" }', f"headers.x y: {NAME}"),
        ('headers = { "x:" = "sk-0123" }', f"headers.x:: {NAME}"),
        ('headers = { "" = "sk-0123" }', f"headers.: {NAME}"),
        ('headers = { "x-\u00e9" = "sk-0123" }', f"headers.x-\u00e9: {NAME}"),
        ('headers = { X-A = "sk-0123", x-a = "c" }', "headers: Value error, the header x-a stands there twice"),
        ('auth_header = "api key"', f"auth_header: {NAME}"),
        ('auth_header = ""', f"auth_header: {NAME}"),
        (r'auth_header = "x\r\nhost"', f"auth_header: {NAME}"),
    ],
)
def test_a_header_that_cannot_be_sent_is_refused_with_its_line(kind: str, member: str, told: str) -> None:
    """It would spoil every request; its value is not repeated, for it may be a key."""
    with pytest.raises(BrokenCatalog) as caught:
        parse(provider(member, kind), source="f")

    assert str(caught.value) == f"f, line 3: providers.p.{told}"


@pytest.mark.parametrize("kind", ["openai", "anthropic"])
def test_a_header_that_can_be_sent_is_taken(kind: str) -> None:
    """Tabs and letters of all the world included."""
    text = provider('headers = { X-A_1 = "a\\tb", "x!" = "Gr\u00fc\u00dfe" }\nauth_header = "Api-Key"', kind)

    upstream = parse(text, source="f").upstreams["p"]

    assert isinstance(upstream, OpenAIUpstream | AnthropicUpstream)
    assert (upstream.headers, upstream.auth_header) == ({"X-A_1": "a\tb", "x!": "Gr\u00fc\u00dfe"}, "Api-Key")


def test_a_query_may_hold_what_no_header_can() -> None:
    """It is encoded."""
    upstream = parse(provider(r'query = { "a b" = "c\nd" }'), source="f").upstreams["p"]

    assert isinstance(upstream, OpenAIUpstream)
    assert upstream.query == {"a b": "c\nd"}

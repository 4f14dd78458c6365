"""The upstreams of a catalogue: where each provider's servers are and which key opens them, as the file says it."""

import re
from collections.abc import Mapping
from typing import Annotated, Literal
from unicodedata import category
from urllib.parse import urlsplit

from pydantic import AfterValidator, BaseModel, ConfigDict, Discriminator, Field, Tag

from megallm.catalog.compatibility import TakesTable, names, shipped
from megallm.messages.compatibility import EVERYTHING, Takes

Kind = Literal["anthropic", "bedrock", "embedded", "openai"]
KINDS: tuple[Kind, ...] = ("anthropic", "bedrock", "embedded", "openai")

SECRET_SCHEMES = ("env", "secretsmanager", "ssm")
_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")  # RFC 9110, 5.6.2


def _reference(text: str) -> str:
    scheme, colon, name = text.partition(":")
    if scheme not in SECRET_SCHEMES or not colon or not name:
        # Not shown: whoever writes a key here by mistake should not find it in a log.
        raise ValueError("a secret is named, never written down: env:NAME, secretsmanager:NAME or ssm:/NAME")
    return text


def _url(text: str) -> str:
    if not text.startswith(("https://", "http://")):
        raise ValueError("it must begin with https:// or http://")
    try:
        parts = urlsplit(text)
        can_be_called = bool(parts.hostname) and parts.port != 0
    except ValueError:
        can_be_called = False  # the exception's text would repeat what stands there, and maybe a password
    if not can_be_called:
        raise ValueError("it has no host, or a port that cannot be one")
    return text.rstrip("/")


def _header_name(name: str) -> str:
    if _TOKEN.fullmatch(name) is None:
        raise ValueError("a header's name has letters, digits and !#$%&'*+.^_`|~- alone")
    return name


def _header_value(value: str) -> str:
    if any(category(letter) == "Cc" and letter != "\t" for letter in value):
        raise ValueError("a header holds no control characters but tabs")  # not shown: it may be a key
    return value


def _headers(headers: Mapping[str, str]) -> Mapping[str, str]:
    names = [name.lower() for name in headers]
    twice = next((name for at, name in enumerate(names) if name in names[:at]), None)
    if twice is not None:
        raise ValueError(f"the header {twice} stands there twice")
    return headers


def _table(name: str) -> str:
    if name not in names():
        raise ValueError(f"there is no such table; there are {', '.join(sorted(names()))}")
    return name


SecretReference = Annotated[str, AfterValidator(_reference)]
# An operator may have written a key into any of these, so that nothing prints them.
_HIDDEN = Field(repr=False)
Url = Annotated[str, AfterValidator(_url)]
HiddenUrl = Annotated[Url, _HIDDEN]
HiddenPath = Annotated[str, _HIDDEN]
HeaderName = Annotated[str, AfterValidator(_header_name)]
HeaderValue = Annotated[str, AfterValidator(_header_value)]
Headers = Annotated[Mapping[HeaderName, HeaderValue], AfterValidator(_headers), _HIDDEN]
Query = Annotated[Mapping[str, str], _HIDDEN]
Body = Annotated[Mapping[str, object], _HIDDEN]
TableName = Annotated[str, AfterValidator(_table)]
Seconds = Annotated[float, Field(gt=0, strict=True, allow_inf_nan=False)]


class _Upstream(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    # The compatibility table that ships for this kind of server, and what the operator knows better.
    table: TableName | None = None
    takes: TakesTable = TakesTable()
    # How long it may be silent before the next route is tried; see ``Route``.
    first_byte_seconds: Seconds | None = None
    whole_reply_seconds: Seconds | None = None

    def default_table(self) -> str | None:
        """The table of a provider that names none."""
        return None

    def takes_with(self, table: str | None, over: TakesTable | None) -> Takes:
        """What a route of this provider takes: the table, what the provider says over it, what the route does."""
        name = table or self.table or self.default_table()
        takes = self.takes.takes().over(shipped(name) if name is not None else EVERYTHING)
        return takes if over is None else over.takes().over(takes)


class EmbeddedUpstream(_Upstream):
    """The model on this machine."""

    kind: Literal["embedded"] = "embedded"


class OpenAIUpstream(_Upstream):
    """A chat-completions server. ``base_url``, ``path`` and ``query`` may hold ``{model}``."""

    kind: Literal["openai"] = "openai"
    base_url: HiddenUrl = "https://api.openai.com/v1"
    api_key: SecretReference | None = None
    auth_header: HeaderName = "authorization"
    path: HiddenPath = "/chat/completions"
    tokenize_path: Annotated[str | None, _HIDDEN] = None
    query: Query = {}
    headers: Headers = {}
    body: Body = {}

    def default_table(self) -> str:
        """OpenAI's own."""
        return "openai"


class AnthropicUpstream(_Upstream):
    """A server that speaks the Messages API: Anthropic's, or another that does."""

    kind: Literal["anthropic"] = "anthropic"
    base_url: HiddenUrl = "https://api.anthropic.com"
    api_key: SecretReference | None = None
    auth_header: HeaderName = "x-api-key"
    headers: Headers = {}

    def default_table(self) -> str:
        """Anthropic's own."""
        return "anthropic"


class BedrockUpstream(_Upstream):
    """Amazon Bedrock, with AWS's own chain of credentials. What is None comes from there, too."""

    kind: Literal["bedrock"] = "bedrock"
    region: str | None = None
    profile: str | None = None
    endpoint_url: Annotated[Url | None, _HIDDEN] = None

    def default_table(self) -> str:
        """That of InvokeModel with Claude; routes to other models name ``converse``."""
        return "bedrock"


def _kind(value: object) -> str | None:
    kind = value.get("kind") if isinstance(value, dict) else getattr(value, "kind", None)
    return kind if kind in KINDS else None


Upstream = Annotated[
    Annotated[EmbeddedUpstream, Tag("embedded")]
    | Annotated[OpenAIUpstream, Tag("openai")]
    | Annotated[AnthropicUpstream, Tag("anthropic")]
    | Annotated[BedrockUpstream, Tag("bedrock")],
    Discriminator(
        _kind, custom_error_type="kind", custom_error_message=f"Input should have a 'kind': {', '.join(KINDS)}"
    ),
]

# Routes may name these without a table of their own.
IMPLIED: Mapping[str, EmbeddedUpstream | OpenAIUpstream | AnthropicUpstream | BedrockUpstream] = {
    "embedded": EmbeddedUpstream(),
    "openai": OpenAIUpstream(api_key="env:OPENAI_API_KEY"),
    "anthropic": AnthropicUpstream(api_key="env:ANTHROPIC_API_KEY"),
    "bedrock": BedrockUpstream(),
}

Upstreams = Annotated[Mapping[str, Upstream], Field(default_factory=dict)]

"""A running gateway whose upstreams are listeners: composed as a deployed one is, from settings and a catalogue."""

import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from types import TracebackType
from typing import Self

from anthropic import Anthropic

from megallm.composition import compose
from megallm.operations.authenticate import Authenticator
from megallm.operations.gateway import Gateway
from megallm.operations.retry import RetryPolicy
from megallm.operations.stream_message import Patience
from megallm.settings import Settings
from megallm.stores.aws import AwsTarget
from tests.contract.server import CountingLimiter, RunningServer
from tests.contract.upstreams.dialect import Dialect
from tests.contract.upstreams.dialects import DIALECTS
from tests.fakes import KEY, KEY_RECORD, MemoryKeys

UPSTREAM_KEY = "sk-the-key-of-the-operator"
ENVIRON = {"UPSTREAM_KEY": UPSTREAM_KEY}
# What AWS's chain of credentials finds.
AWS_ENVIRON = {
    "AWS_ACCESS_KEY_ID": "AKIAOFTHEOPERATOR",
    "AWS_SECRET_ACCESS_KEY": "the-secret-of-the-operator",
    "AWS_SESSION_TOKEN": "the-session-of-the-operator",
}
SECRETS = (UPSTREAM_KEY, *AWS_ENVIRON.values())

PATIENCE = Patience()

_REGION = "eu-west-1"
_PROVIDER = {"chat": "chat", "messages": "messages", "invoke": "bedrock", "converse": "bedrock"}
_UPSTREAM_MODEL = {
    "chat": "gpt-upstream",
    "messages": "claude-upstream",
    "invoke": "eu.anthropic.claude-sonnet-4-5-20250929-v1:0",
    "converse": "amazon.nova-pro-v1:0",
}


def model_for(dialect: Dialect, *then: Dialect, prefix: str = "via") -> str:
    """The model whose routes are these dialects; the prefix ``refused`` has them at a port that nobody listens at."""
    return "-".join([prefix, *(each.name for each in (dialect, *then))])


def catalogue(url: str, *, closed_url: str | None = None, other_url: str | None = None, limits: str = "") -> str:
    """A model a dialect at *url*; the same at *closed_url*; and models that fall back to the next dialect elsewhere.

    *limits* are further lines of the providers at *url*.
    """
    parts = [_providers("", url, limits), *(_model(model_for(each), [("", each)]) for each in DIALECTS)]
    if closed_url is not None:
        parts += [_providers("refused-", closed_url)]
        parts += [_model(model_for(each, prefix="refused"), [("refused-", each)]) for each in DIALECTS]
    if other_url is not None:
        parts += [_providers("other-", other_url)]
        parts += [_model(model_for(each, then), [("", each), ("other-", then)]) for each, then in FALLBACKS]
    return "\n".join(parts)


# Each dialect stands first once, and stands in for another once.
FALLBACKS = tuple(zip(DIALECTS, (*DIALECTS[1:], DIALECTS[0]), strict=True))


def route_of(dialect: Dialect, prefix: str = "") -> str:
    """As ``megallm-route`` names it."""
    return f"{prefix}{_PROVIDER[dialect.name]}/{_UPSTREAM_MODEL[dialect.name]}"


def _providers(prefix: str, url: str, limits: str = "") -> str:
    return f"""
[providers.{prefix}chat]
kind = "openai"
base_url = "{url}/v1"
api_key = "env:UPSTREAM_KEY"
{limits}
[providers.{prefix}messages]
kind = "anthropic"
base_url = "{url}"
api_key = "env:UPSTREAM_KEY"
{limits}
[providers.{prefix}bedrock]
kind = "bedrock"
region = "{_REGION}"
endpoint_url = "{url}"
{limits}"""


def _model(name: str, routes: Iterable[tuple[str, Dialect]]) -> str:
    lines = ", ".join(_route(prefix, dialect) for prefix, dialect in routes)
    return f'[[models]]\nid = "{name}"\ndisplay_name = "{name}"\ncontext_tokens = 200000\nroutes = [{lines}]\n'


def _route(prefix: str, dialect: Dialect) -> str:
    table = ', table = "converse"' if dialect.name == "converse" else ""
    return f'{{ provider = "{prefix}{_PROVIDER[dialect.name]}", model = "{_UPSTREAM_MODEL[dialect.name]}"{table} }}'


@dataclass
class Stage:
    """A gateway that runs between ``with`` and its end."""

    gateway: Gateway
    limiter: CountingLimiter
    server: RunningServer

    @cached_property
    def client(self) -> Anthropic:
        """The official SDK, which tries nothing twice."""
        return Anthropic(base_url=self.server.url, api_key=KEY, max_retries=0, timeout=300)

    def __enter__(self) -> Self:
        self.server.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.client.close()
        self.server.wait_for(self.gateway.aclose())
        self.server.stop()
        self.server.join()


def stage(
    catalog: str,
    folder: Path,
    *,
    environ: Mapping[str, str] = ENVIRON,
    tries: int = 1,
    timeout_seconds: float = 60.0,
    patience: Patience = PATIENCE,
) -> Stage:
    """The gateway of this catalogue's text. It never waits between tries."""
    file = folder / "catalog.toml"
    file.write_text(catalog, encoding="utf-8")
    settings = Settings(catalog=str(file), upstream_timeout_seconds=timeout_seconds)
    # DynamoDB is not asked: the keys are ours.
    aws = AwsTarget(region=_REGION, access_key_id="x", secret_access_key="x")
    limiter = CountingLimiter()
    gateway = replace(
        compose(settings, aws, environ),
        authenticator=Authenticator(
            MemoryKeys(KEY_RECORD), cache_seconds=300, clock=time.time, monotonic=time.monotonic
        ),
        limiter=limiter,
        retry=RetryPolicy(tries=tries, base_seconds=0),
    )
    return Stage(gateway, limiter, RunningServer(gateway, patience=patience))

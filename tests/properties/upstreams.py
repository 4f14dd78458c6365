"""Providers of every kind over connections that never leave the process: an upstream in a function."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Coroutine, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from typing import TypeVar

from megallm.catalog.file_format import parse as parse_catalog
from megallm.catalog.models import Catalog
from megallm.catalog.upstreams import EmbeddedUpstream
from megallm.composition.workshop import Workshop
from megallm.errors import UpstreamFailed
from megallm.messages.calls import Adaptation
from megallm.messages.requests import MessagesRequest, parse
from megallm.operations.ports import PreparedCall, Provider
from megallm.operations.route_call import Sender, call_of
from megallm.providers.http import Http, OpenAnswer
from megallm.settings import Settings
from megallm.stores.aws import AwsTarget
from megallm.stores.secrets import Secrets

ResultT = TypeVar("ResultT")

CHAT_TABLES = ("openai", "azure", "vllm", "llama.cpp", "ollama", "deepseek", "litellm")
# A model for each kind of upstream with the table that ships for it: the columns of docs/coverage.md.
KINDS: Mapping[str, tuple[str, str, str]] = {
    "anthropic": ("native", "claude-sonnet-5", "anthropic"),
    "bedrock": ("bedrock", "eu.anthropic.claude-sonnet-4-5-20250929-v1:0", "bedrock"),
    "converse": ("bedrock", "amazon.nova-pro-v1:0", "converse"),
    **{table: ("chat", "model", table) for table in CHAT_TABLES},
}

# Those that share a translation.
FAMILIES: Mapping[str, Sequence[str]] = {
    "anthropic": ["anthropic"],
    "bedrock": ["bedrock"],
    "converse": ["converse"],
    "chat": CHAT_TABLES,
}

# A URL and a request body in, content type and body out.
Upstream = Callable[[str, bytes], tuple[str, bytes]]


def no_upstream(url: str, body: bytes) -> tuple[str, bytes]:
    """An upstream that is seen by, and not heard."""
    raise UpstreamFailed("there is nobody")


class ScriptedHttp(Http):
    """An HTTP client that is answered by a function. ``sent`` are the bodies of all requests."""

    def __init__(self) -> None:
        super().__init__()
        self.upstream: Upstream = no_upstream
        self.sent: list[bytes] = []

    @asynccontextmanager
    async def open(
        self, url: str, *, headers: Mapping[str, str], body: bytes, method: str = "POST"
    ) -> AsyncIterator[OpenAnswer]:
        self.sent.append(body)
        yield _Answer(*self.upstream(url, body))


class _Answer(OpenAnswer):
    def __init__(self, content_type: str, body: bytes) -> None:
        self.status = 200
        self._content_type = content_type
        self._body = body

    @property
    def headers(self) -> Mapping[str, str]:
        return {"content-type": self._content_type}

    async def chunks(self) -> AsyncGenerator[bytes, None]:
        yield self._body

    async def read(self) -> bytes:
        return self._body


def providers(catalog: Catalog, http: Http) -> Mapping[str, Provider]:
    """The providers that the catalogue names, made as the composition root makes them, over these connections."""
    workshop = Workshop(Settings(), Secrets(AwsTarget(), {}))
    vars(workshop)["_http"] = http  # in place of what the cached property would make
    return {
        name: workshop.maker(name, upstream)()
        for name, upstream in catalog.upstreams.items()
        if not isinstance(upstream, EmbeddedUpstream)
    }


def catalog() -> Catalog:
    """A model for each kind, by its name."""
    upstreams = """
[providers.native]
kind = "anthropic"
[providers.chat]
kind = "openai"
[providers.bedrock]
kind = "bedrock"
region = "eu-west-1"
"""
    models = [
        f'[[models]]\nid = "{kind}"\ndisplay_name = "{kind}"\ncontext_tokens = 200000\nmax_output_tokens = 64000\n'
        f'routes = [{{ provider = "{provider}", model = "{model}", table = "{table}" }}]\n'
        for kind, (provider, model, table) in KINDS.items()
    ]
    return parse_catalog("\n".join([upstreams, *models]), source="tests")


class Bench:
    """The providers on one event loop."""

    def __init__(self, runner: asyncio.Runner) -> None:
        self.http = ScriptedHttp()
        self.catalog = catalog()
        self.providers = providers(self.catalog, self.http)
        self._runner = runner

    def run(self, work: Coroutine[object, object, ResultT]) -> ResultT:
        """Waits for it on the loop that is the providers'."""
        return self._runner.run(work)

    def prepare(
        self, kind: str, body: bytes, betas: Sequence[str] = (), headers: Sequence[tuple[str, str]] = ()
    ) -> PreparedCall:
        """The request translated for this kind of upstream. Raises InvalidRequest."""
        model = self.catalog.find(kind)
        request = parse(body, MessagesRequest)
        sender = Sender(betas=tuple(betas), headers=tuple(headers))
        call = call_of(request, model, model.routes[0], sender, body)
        return self.run(self.providers[model.routes[0].provider].prepare(call))

    def send(self, kind: str, body: bytes) -> tuple[bytes, tuple[Adaptation, ...]]:
        """What the upstream is sent, and what the caller is told of it. Raises InvalidRequest."""
        self.http.sent.clear()
        prepared = self.prepare(kind, body)
        with suppress(UpstreamFailed):
            self.run(prepared.create())
        return self.http.sent[0], prepared.adaptations

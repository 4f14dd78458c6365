"""The models that clients may name, with their routes."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import date
from typing import Literal, get_args

from megallm.catalog.upstreams import Upstream
from megallm.errors import NotFound, clip
from megallm.messages.compatibility import EVERYTHING, Takes

# What the SDK's ModelInfo says stands for a date that is not known.
UNKNOWN_RELEASE = date(1970, 1, 1)

Lifecycle = Literal["active", "deprecated", "retired"]
LIFECYCLES: tuple[Lifecycle, ...] = get_args(Lifecycle)

# The SDK's ModelCapabilities, flat: `effort.max` is `effort`'s member `max`.
Capability = Literal[
    "batch",
    "citations",
    "code_execution",
    "context_management",
    "effort",
    "effort.max",
    "effort.xhigh",
    "image_input",
    "pdf_input",
    "server_tools",
    "server_tools.code_execution",
    "server_tools.web_search",
    "structured_outputs",
    "thinking",
    "thinking.adaptive",
    "thinking.between_tools",
]


@dataclass(frozen=True, slots=True)
class Prices:
    """US dollars per million tokens; None where the catalogue does not say."""

    input: float
    output: float
    cache_read: float | None = None
    cache_write: float | None = None


@dataclass(frozen=True, slots=True)
class Route:
    """One way to get a model answered: a provider, the name that its upstream knows, and what that one takes.

    Where there is a next route, it is tried after ``first_byte_seconds`` without an event of a stream or a count, and
    after ``whole_reply_seconds`` without a reply that is not streamed; None leaves it to the deadline of all routes.
    """

    provider: str
    model: str
    takes: Takes = EVERYTHING
    first_byte_seconds: float | None = None
    whole_reply_seconds: float | None = None

    @property
    def name(self) -> str:
        """As ``megallm-route`` shows it."""
        return f"{self.provider}/{self.model}"


@dataclass(frozen=True, slots=True)
class Model:
    """A model as clients see it. Where the context is None, only the provider knows it.

    ``routes`` are in the order in which they are tried; ``capabilities`` is None where the catalogue does not say.
    """

    id: str
    display_name: str
    released: date
    lifecycle: Lifecycle
    aliases: tuple[str, ...]
    routes: tuple[Route, ...]
    context_tokens: int | None
    max_output_tokens: int | None
    capabilities: tuple[Capability, ...] | None = None
    prices: Prices | None = None


class Catalog:
    """All models, in the order of the file (the newest first), and the upstreams that their routes name."""

    def __init__(self, models: Iterable[Model], upstreams: Mapping[str, Upstream]) -> None:
        self.models = tuple(models)
        self.upstreams = upstreams
        self._by_name = {name: model for model in self.models for name in (model.id, *model.aliases)}

    def find(self, name: str) -> Model:
        """Raises NotFound, as Anthropic does for a model that it does not know."""
        model = self._by_name.get(name)
        if model is None:
            raise NotFound(f"model: {clip(name)}", param="model")
        return model

    def leaves_context_to(self, provider: str) -> bool:
        """Whether some model's context is only known to this provider."""
        return any(_is_open_to(provider, model) for model in self.models)

    def with_context(self, provider: str, context_tokens: int) -> "Catalog":
        """The same catalogue with the context of those models filled in that *provider* alone knows it of."""
        models = [
            replace(model, context_tokens=context_tokens, max_output_tokens=model.max_output_tokens or context_tokens)
            if _is_open_to(provider, model)
            else model
            for model in self.models
        ]
        return Catalog(models, self.upstreams)


def _is_open_to(provider: str, model: Model) -> bool:
    return model.context_tokens is None and model.routes[0].provider == provider

"""The models that clients may name, with their routes, and the reading of a catalogue file."""

import tomllib
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import date
from importlib import resources
from pathlib import Path
from typing import Annotated, Literal, get_args

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from megallm.errors import NotFound, clip

SHIPPED = {"local": "local.toml"}

# What the SDK's ModelInfo says stands for a date that is not known.
UNKNOWN_RELEASE = date(1970, 1, 1)

Lifecycle = Literal["active", "deprecated", "retired"]
LIFECYCLES: tuple[Lifecycle, ...] = get_args(Lifecycle)

Name = Annotated[str, Field(min_length=1, max_length=256)]


class BrokenCatalog(Exception):
    """The catalogue cannot be used; the message names the file and the reason."""


class Route(BaseModel):
    """One way to get a model answered: a provider, and the name that the provider's upstream knows."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    provider: Name
    model: Name


class _Defaults(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    routes: tuple[Route, ...] = ()
    context_tokens: Annotated[int, Field(gt=0)] | None = None
    max_output_tokens: Annotated[int, Field(gt=0)] | None = None


class _Entry(_Defaults):
    id: Name
    display_name: Name
    released: date = UNKNOWN_RELEASE
    aliases: tuple[Name, ...] = ()
    lifecycle: Lifecycle = "active"


class _File(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    defaults: _Defaults = _Defaults()
    models: tuple[_Entry, ...] = Field(min_length=1)


@dataclass(frozen=True, slots=True)
class Model:
    """A model as clients see it. Where the context is None, only the provider knows it."""

    id: str
    display_name: str
    released: date
    lifecycle: Lifecycle
    aliases: tuple[str, ...]
    routes: tuple[Route, ...]
    context_tokens: int | None
    max_output_tokens: int | None


class Catalog:
    """All models, in the order of the file (the newest first), found by id or alias."""

    def __init__(self, models: Iterable[Model]) -> None:
        self.models = tuple(models)
        self._by_name = {name: model for model in self.models for name in (model.id, *model.aliases)}

    def find(self, name: str) -> Model:
        """Raises NotFound, as Anthropic does for a model that it does not know."""
        model = self._by_name.get(name)
        if model is None:
            raise NotFound(f"model: {clip(name)}", param="model")
        return model

    def providers(self) -> set[str]:
        """The providers that the routes name."""
        return {route.provider for model in self.models for route in model.routes}

    def leaves_context_to(self, provider: str) -> bool:
        """Whether some model's context is only known to this provider."""
        return any(_is_open_to(provider, model) for model in self.models)

    def with_context(self, provider: str, context_tokens: int) -> "Catalog":
        """The same catalogue with the context of those models filled in that *provider* alone knows it of."""
        return Catalog(
            replace(model, context_tokens=context_tokens, max_output_tokens=model.max_output_tokens or context_tokens)
            if _is_open_to(provider, model)
            else model
            for model in self.models
        )


def _is_open_to(provider: str, model: Model) -> bool:
    return model.context_tokens is None and model.routes[0].provider == provider


def load(name_or_path: str) -> Catalog:
    """A shipped catalogue by name, or a TOML file. Raises BrokenCatalog."""
    shipped = SHIPPED.get(name_or_path)
    try:
        if shipped is not None:
            text = resources.files(__package__).joinpath(shipped).read_text(encoding="utf-8")
        else:
            text = Path(name_or_path).read_text(encoding="utf-8")
    except OSError as error:
        raise BrokenCatalog(f"{name_or_path}: {error.strerror}") from error
    return parse(text, source=shipped or name_or_path)


def parse(text: str, *, source: str) -> Catalog:
    """The catalogue in the text of a TOML file. Raises BrokenCatalog."""
    try:
        file = _File.model_validate(tomllib.loads(text))
    except tomllib.TOMLDecodeError as error:
        raise BrokenCatalog(f"{source}: {error}") from error
    except ValidationError as error:
        first = error.errors()[0]
        raise BrokenCatalog(f"{source}: {'.'.join(map(str, first['loc']))}: {first['msg']}") from error
    defaults = file.defaults
    models, seen = [], set[str]()
    for entry in file.models:
        for name in (entry.id, *entry.aliases):
            if name in seen:
                raise BrokenCatalog(f"{source}: {name} stands there twice")
            seen.add(name)
        given = entry.model_fields_set
        routes = entry.routes if "routes" in given else defaults.routes
        if not routes:
            raise BrokenCatalog(f"{source}: {entry.id} has no routes")
        models.append(
            Model(
                id=entry.id,
                display_name=entry.display_name,
                released=entry.released,
                lifecycle=entry.lifecycle,
                aliases=entry.aliases,
                routes=routes,
                context_tokens=entry.context_tokens if "context_tokens" in given else defaults.context_tokens,
                max_output_tokens=(
                    entry.max_output_tokens if "max_output_tokens" in given else defaults.max_output_tokens
                ),
            )
        )
    return Catalog(models)

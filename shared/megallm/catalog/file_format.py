"""The catalogue file: its shape in TOML, and how it is read and refused."""

import tomllib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from importlib import resources
from pathlib import Path
from typing import Annotated, NoReturn
from unicodedata import category

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError

from megallm.catalog.compatibility import TakesTable
from megallm.catalog.lines import line_of
from megallm.catalog.models import UNKNOWN_RELEASE, Capability, Catalog, Lifecycle, Model, Prices, Route
from megallm.catalog.upstreams import IMPLIED, KINDS, Kind, TableName, Upstream, Upstreams
from megallm.messages.compatibility import Feature, Takes

SHIPPED = {"local": "local.toml", "aws": "aws.toml"}


def _written(name: str) -> str:
    if not name.strip() or any(category(letter) == "Cc" for letter in name):
        raise ValueError("it must have more than spaces in it, and no control characters")
    return name


Name = Annotated[str, Field(min_length=1, max_length=256), AfterValidator(_written)]
Tokens = Annotated[int, Field(gt=0)]
Dollars = Annotated[float, Field(ge=0, allow_inf_nan=False)]
SecondsOrNone = Annotated[float, Field(ge=0, strict=True, allow_inf_nan=False)]  # 0 lifts what the provider says


@dataclass(frozen=True, slots=True)
class Checks:
    """What only who makes providers can tell of a catalogue. Each gives None where nothing is wrong.

    ``feature``: the first of a route's features that a provider of this kind cannot read, and why. ``rule``: the first
    rule that such a provider would not keep to on a route with these features, as its section, its name, and why.
    ``secret``: why the secret of this reference is not to be had.
    """

    feature: Callable[[Kind, Mapping[str, Feature]], tuple[str, str] | None]
    rule: Callable[[Kind, Mapping[str, Feature], Takes], tuple[str, str, str] | None]
    secret: Callable[[str], str | None]


# For who makes no providers.
UNCHECKED = Checks(lambda kind, features: None, lambda kind, features, own: None, lambda reference: None)


# What pydantic puts behind the name of a member where it is the name that is wrong.
_OF_THE_NAME = "[key]"


class BrokenCatalog(Exception):
    """The catalogue cannot be used; the message names the file, the line and the reason."""


class _Table(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class _Prices(_Table):
    """US dollars per million tokens."""

    input: Dollars
    output: Dollars
    cache_read: Dollars | None = None
    cache_write: Dollars | None = None


class _Route(_Table):
    """One way to get a model answered: a provider, and the name that the provider's upstream knows."""

    provider: Name
    model: Name
    table: TableName | None = None
    takes: TakesTable | None = None
    first_byte_seconds: SecondsOrNone | None = None
    whole_reply_seconds: SecondsOrNone | None = None


class _Defaults(_Table):
    routes: tuple[_Route, ...] = ()
    context_tokens: Tokens | None = None
    max_output_tokens: Tokens | None = None
    capabilities: tuple[Capability, ...] | None = None
    prices: _Prices | None = None


class _Entry(_Defaults):
    id: Name
    display_name: Name
    released: date = UNKNOWN_RELEASE
    aliases: tuple[Name, ...] = ()
    lifecycle: Lifecycle = "active"


class _File(_Table):
    providers: Upstreams
    defaults: _Defaults = _Defaults()
    models: tuple[_Entry, ...] = Field(min_length=1)


def load(name_or_path: str, checks: Checks = UNCHECKED) -> Catalog:
    """A shipped catalogue by name, or a TOML file. Raises BrokenCatalog."""
    shipped = SHIPPED.get(name_or_path)
    try:
        if shipped is not None:
            text = resources.files(__package__).joinpath(shipped).read_text(encoding="utf-8")
        else:
            text = Path(name_or_path).read_text(encoding="utf-8-sig")  # some editors begin a file with a BOM
    except OSError as error:
        raise BrokenCatalog(f"{name_or_path}: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise BrokenCatalog(f"{name_or_path}: it is not text in UTF-8") from error
    return parse(text, source=shipped or name_or_path, checks=checks)


def parse(text: str, *, source: str, checks: Checks = UNCHECKED) -> Catalog:
    """The catalogue in the text of a TOML file. Raises BrokenCatalog."""
    return _Reader(text, source, checks).read()


class _Reader:
    """Reads one text; knows it, so that what it refuses has a line."""

    def __init__(self, text: str, source: str, checks: Checks) -> None:
        self._text = text
        self._source = source
        self._checks = checks
        self._seen: set[str] = set()

    def read(self) -> Catalog:
        try:
            file = _File.model_validate(tomllib.loads(self._text))
        except tomllib.TOMLDecodeError as error:
            raise BrokenCatalog(f"{self._source}: {error}") from error
        except ValidationError as error:
            first = error.errors(include_input=False, include_url=False)[0]
            self._refuse(_path_in_file(first["loc"]), first["msg"])
        upstreams = {**IMPLIED, **file.providers}
        models = [self._model(entry, at, file.defaults, upstreams) for at, entry in enumerate(file.models)]
        used = {route.provider for model in models for route in model.routes}
        asked = {name: upstream for name, upstream in upstreams.items() if name in used}
        for name, upstream in asked.items():
            self._check_secret(name, upstream, file)
        return Catalog(models, asked)

    def _model(self, entry: _Entry, at: int, defaults: _Defaults, upstreams: Mapping[str, Upstream]) -> Model:
        for name in (entry.id, *entry.aliases):
            if name in self._seen:
                self._refuse(("models", at, "id"), f"{name} stands there twice")
            self._seen.add(name)
        given = entry.model_fields_set
        own_routes = "routes" in given
        routes = entry.routes if own_routes else defaults.routes
        if not routes:
            self._refuse(("models", at), f"{entry.id} has no routes")
        where: tuple[str | int, ...] = ("models", at, "routes") if own_routes else ("defaults", "routes")
        prices = entry.prices if "prices" in given else defaults.prices
        return Model(
            id=entry.id,
            display_name=entry.display_name,
            released=entry.released,
            lifecycle=entry.lifecycle,
            aliases=entry.aliases,
            routes=tuple(self._route(route, (*where, index), upstreams) for index, route in enumerate(routes)),
            context_tokens=entry.context_tokens if "context_tokens" in given else defaults.context_tokens,
            max_output_tokens=entry.max_output_tokens if "max_output_tokens" in given else defaults.max_output_tokens,
            capabilities=entry.capabilities if "capabilities" in given else defaults.capabilities,
            prices=None if prices is None else Prices(**prices.model_dump()),
        )

    def _route(self, route: _Route, where: Sequence[str | int], upstreams: Mapping[str, Upstream]) -> Route:
        upstream = upstreams.get(route.provider)
        if upstream is None:
            self._refuse(
                (*where, "provider"),
                f"there is no provider {route.provider!r}: give it a table [providers.{route.provider}] "
                f"with its kind, or name one of {', '.join(KINDS)}",
            )
        takes = upstream.takes_with(route.table, route.takes)
        self._check_features(route, upstream, takes, where)
        self._check_rules(takes.features, upstream.kind, upstream.takes, ("providers", route.provider))
        self._check_rules(takes.features, upstream.kind, route.takes, where)
        return Route(
            route.provider,
            route.model,
            takes,
            _limit(route.first_byte_seconds, upstream.first_byte_seconds),
            _limit(route.whole_reply_seconds, upstream.whole_reply_seconds),
        )

    def _check_features(self, route: _Route, upstream: Upstream, takes: Takes, where: Sequence[str | int]) -> None:
        """Said of the place that states the feature: the route, the provider, else the table that one of them names."""
        fault = self._checks.feature(upstream.kind, takes.features)
        if fault is None:
            return
        feature, reason = fault
        if route.takes is not None and feature in route.takes.features:
            self._refuse((*where, "takes", "features", feature), reason)
        if feature in upstream.takes.features:
            self._refuse(("providers", route.provider, "takes", "features", feature), reason)
        owner = where if route.table is not None else ("providers", route.provider)
        self._refuse((*owner, "table"), f"its feature {feature}: {reason}")

    def _check_rules(
        self, features: Mapping[str, Feature], kind: Kind, own: TakesTable | None, where: Sequence[str | int]
    ) -> None:
        """The rules that the file itself states; tests of ours hold the tables that ship."""
        fault = None if own is None else self._checks.rule(kind, features, own.takes())
        if fault is not None:
            section, name, reason = fault
            self._refuse((*where, "takes", section, name), reason)

    def _check_secret(self, name: str, upstream: Upstream, file: _File) -> None:
        """Of a provider that a route names; for one without a table of its own, said of that route."""
        reference = getattr(upstream, "api_key", None)
        reason = None if reference is None else self._checks.secret(reference)
        if reason is None:
            return
        if name in file.providers:
            self._refuse(("providers", name, "api_key"), reason)
        places = [
            (*where, at, "provider")
            for where, routes in _routes_of(file)
            for at, route in enumerate(routes)
            if route.provider == name
        ]
        self._refuse(places[0], f"{name} needs its key: {reason}")

    def _refuse(self, path: Sequence[str | int], reason: str) -> NoReturn:
        line = line_of(self._text, path)
        place = self._source if line is None else f"{self._source}, line {line}"
        raise BrokenCatalog(f"{place}: {'.'.join(map(str, path))}: {reason}")


def _routes_of(file: _File) -> list[tuple[tuple[str | int, ...], tuple[_Route, ...]]]:
    """All routes with the place where they stand."""
    own = [(("models", at, "routes"), entry.routes) for at, entry in enumerate(file.models)]
    return [(("defaults", "routes"), file.defaults.routes), *own]


def _limit(own: float | None, of_the_provider: float | None) -> float | None:
    """The route's own word stands over its provider's; 0 is no limit."""
    return (of_the_provider if own is None else own) or None


def _path_in_file(location: Sequence[str | int]) -> tuple[str | int, ...]:
    """A path as the file has it: pydantic puts the kind in between where a table's shape depends on it."""
    if len(location) > 2 and location[0] == "providers" and location[2] in KINDS:
        location = (*location[:2], *location[3:])
    return tuple(step for step in location if step != _OF_THE_NAME)

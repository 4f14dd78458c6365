"""What the translation of one request shares: the route's rules, the names in use, and what had to be changed."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import assert_never

from megallm.errors import InvalidRequest
from megallm.messages.calls import Adaptation
from megallm.messages.compatibility import Rule, Takes
from megallm.messages.unread import CACHING, NOT_CACHED, asks_for_nothing
from megallm.providers.openai.dialect import Dialect
from megallm.providers.openai.names import ToolNames

# What changes no answer: caching, of which the caller is told once; and what every such server does anyway: how tool
# input is cut into deltas.
_HARMLESS = frozenset({CACHING, "stream", "eager_input_streaming"})


@dataclass(slots=True)
class Media:
    """The images and files of a request: how many, and the letters of their data in the body."""

    count: int = 0
    letters: int = 0


@dataclass(slots=True)
class Translation:
    """One request on its way.

    ``route_of`` tells which route signed thinking came from. ``images`` has what was fetched, as data URLs by URL, and
    is None where nothing is fetched because the request is only counted.
    """

    model: str
    route: str
    takes: Takes
    dialect: Dialect
    names: ToolNames
    route_of: Callable[[str, str], str | None]
    images: Mapping[str, str] | None = None
    adaptations: list[Adaptation] = field(default_factory=list)
    media: Media = field(default_factory=Media)

    def changed(self, path: str, change: str = "dropped") -> None:
        """Notes an adaptation (contract C04)."""
        self.adaptations.append(Adaptation(path, change))

    def refused(self, path: str, why: str) -> InvalidRequest:
        """The error for what this model cannot be given at all."""
        return InvalidRequest(f"{path}: {self.model} {why}", param=path)

    def field(self, rule_name: str, own_name: str, path: str | None = None) -> str | None:
        """The upstream's name of a request field, None where it is dropped. Raises InvalidRequest.

        *own_name* is the name that chat completions have for it, *path* where it stands if not at *rule_name*.
        """
        rule = self.takes.fields.find(rule_name)
        match rule.action:
            case "pass":
                return own_name
            case "rewrite":
                return rule.to
            case "drop":
                self.changed(path or rule_name)
                return None
            case "refuse":
                raise self.refused(path or rule_name, "does not take this field")
            case _:
                assert_never(rule.action)

    def block(self, kind: str, path: str) -> Rule | None:
        """The rule of a block or a kind of its source, None where it is dropped. Raises InvalidRequest."""
        rule = self.takes.blocks.find(kind)
        if rule.action == "drop":
            self.changed(path)
            return None
        if rule.action == "refuse":
            raise self.refused(path, f"takes no {kind.replace('.', ' by ')} blocks")
        return rule

    def extras(
        self, extra: Mapping[str, object] | None, rule_prefix: str, path_prefix: str | None = None
    ) -> dict[str, object]:
        """Fields beyond the known ones that go upstream, under their names there. Raises InvalidRequest."""
        kept: dict[str, object] = {}
        if not extra:
            return kept
        for name, value in extra.items():
            if name in _HARMLESS:
                self._note_caching(name, value)
                continue
            rule_name = f"{rule_prefix}{name}"
            if asks_for_nothing(value) and self.takes.fields.find(rule_name).action in ("drop", "refuse"):
                continue
            path = f"{rule_prefix if path_prefix is None else path_prefix}{name}"
            if (sent := self.field(rule_name, name, path)) is not None:
                kept[sent] = value
        return kept

    def lost(self, extra: Mapping[str, object] | None, path: str) -> None:
        """Notes the fields of a block that no chat-completions server has a place for."""
        for name, value in (extra or {}).items():
            if name in _HARMLESS:
                self._note_caching(name, value)
            elif not asks_for_nothing(value):
                self.changed(f"{path}.{name}")

    def _note_caching(self, name: str, value: object) -> None:
        if name == CACHING and value is not None and NOT_CACHED not in self.adaptations:
            self.adaptations.append(NOT_CACHED)

"""Applies a route's table to a request for Converse, and lists what it changed."""

from megallm.errors import InvalidRequest
from megallm.messages.calls import Adaptation
from megallm.messages.compatibility import Rule, Takes


class Rulings:
    """The table of one route at work. ``adaptations`` collects what was changed or left out."""

    def __init__(self, takes: Takes, model: str) -> None:
        self._takes = takes
        self.model = model
        self.adaptations: list[Adaptation] = []

    def feature(self, name: str) -> bool:
        """A fact about the model that the table states; what it does not state is not so."""
        return self._takes.features.get(name) is True

    def passes(self, name: str) -> bool:
        """Whether a field goes through as it is; nothing is listed."""
        return self._takes.fields.find(name).action == "pass"

    def takes(self, name: str) -> bool:
        """Whether a field goes through at all; nothing is listed."""
        return self._takes.fields.find(name).action in ("pass", "rewrite")

    def field(self, name: str, path: str | None = None) -> Rule:
        """What to do with a field; a dropped one is listed, a refused one raises InvalidRequest with its path."""
        return self._apply(self._takes.fields.find(name), path or name, name)

    def block(self, kind: str, path: str, source: str = "") -> Rule:
        """What to do with a block of this kind, and of this source where the table tells sources apart."""
        rules = self._takes.blocks
        rule = rules.named.get(f"{kind}.{source}") or rules.find(kind)
        return self._apply(rule, path, f"{kind} by {source}" if source else kind)

    def adapted(self, path: str, change: str) -> None:
        """Lists a change that no rule made by itself."""
        self.adaptations.append(Adaptation(path, change))

    def refused(self, path: str, why: str) -> InvalidRequest:
        """The error for what this model cannot do at all."""
        return InvalidRequest(f"{path}: {self.model} {why}", param=path)

    def _apply(self, rule: Rule, path: str, what: str) -> Rule:
        if rule.action == "refuse":
            raise self.refused(path, f"takes no {what}")
        if rule.action == "drop":
            self.adapted(path, "dropped")
        return rule

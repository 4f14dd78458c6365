"""What one upstream and model take of a request: a table of data, and how an entry is found in it (contract C04).

Owns no knowledge of any upstream: the tables stand in ``catalog/takes/*.toml`` and in the operator's catalogue.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

Action = Literal["pass", "drop", "rewrite", "refuse"]


@dataclass(frozen=True, slots=True)
class Rule:
    """What happens to a field, a beta or a block; ``to`` is what a rewritten one becomes upstream."""

    action: Action
    to: str = ""


PASS, DROP, REFUSE = Rule("pass"), Rule("drop"), Rule("refuse")

Feature = bool | int | str


@dataclass(frozen=True, slots=True)
class Rules:
    """Rules by name. ``web_search_*`` stands for all names that begin so, ``*`` for every other one."""

    named: Mapping[str, Rule] = field(default_factory=dict)

    def find(self, name: str) -> Rule:
        """The rule of this very name, else of the longest beginning, else of ``*``, else pass."""
        rule = self.named.get(name)
        if rule is not None:
            return rule
        matching = [key for key in self.named if key.endswith("*") and name.startswith(key[:-1])]
        return self.named[max(matching, key=len)] if matching else PASS


@dataclass(frozen=True, slots=True)
class Takes:
    """The table of one route.

    ``fields`` has request fields by dotted path (``output_config.effort``), ``betas`` flags of the
    ``anthropic-beta`` header, ``blocks`` content blocks by type, or by type and source (``image.url``), and types of
    tools (``tool.web_search_*``), ``headers`` those of ``CALLER_HEADERS``. ``features`` are facts that only one kind
    of provider reads, and checks.
    """

    fields: Rules = Rules()
    betas: Rules = Rules()
    blocks: Rules = Rules()
    headers: Rules = Rules()
    features: Mapping[str, Feature] = field(default_factory=dict)

    def over(self, other: "Takes") -> "Takes":
        """These entries, and *other*'s where there is none of the same name."""
        return Takes(
            fields=Rules({**other.fields.named, **self.fields.named}),
            betas=Rules({**other.betas.named, **self.betas.named}),
            blocks=Rules({**other.blocks.named, **self.blocks.named}),
            headers=Rules({**other.headers.named, **self.headers.named}),
            features={**other.features, **self.features},
        )


EVERYTHING = Takes()

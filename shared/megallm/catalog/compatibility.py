"""The compatibility tables: those that ship, and how one is read from TOML.

A rule is written ``"pass"``, ``"drop"``, ``"refuse"``, or ``"-> name"`` where it goes upstream under another name
or as something else.
"""

import tomllib
from collections.abc import Mapping
from functools import cache
from importlib import resources
from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, StrictBool, StrictInt, StrictStr

from megallm.messages.compatibility import DROP, PASS, REFUSE, Rule, Rules, Takes

_PLAIN = {"pass": PASS, "drop": DROP, "refuse": REFUSE}
_ARROW = "-> "


def _checked(text: str) -> str:
    if text not in _PLAIN and not (text.startswith(_ARROW) and len(text) > len(_ARROW)):
        raise ValueError('a rule is "pass", "drop", "refuse" or "-> name"')
    return text


RuleText = Annotated[str, AfterValidator(_checked)]


class TakesTable(BaseModel):
    """A table as it stands in a file; see ``Takes`` for what the parts mean."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    fields: Mapping[str, RuleText] = {}
    betas: Mapping[str, RuleText] = {}
    blocks: Mapping[str, RuleText] = {}
    headers: Mapping[str, RuleText] = {}
    features: Mapping[str, StrictBool | StrictInt | StrictStr] = {}

    def takes(self) -> Takes:
        """The table as it is used."""
        return Takes(
            _rules(self.fields), _rules(self.betas), _rules(self.blocks), _rules(self.headers), dict(self.features)
        )


@cache
def shipped(name: str) -> Takes:
    """The table ``takes/<name>.toml``. Raises KeyError for a name that does not ship."""
    if name not in names():
        raise KeyError(name)
    text = resources.files(__package__).joinpath("takes", f"{name}.toml").read_text(encoding="utf-8")
    return TakesTable.model_validate(tomllib.loads(text)).takes()


@cache
def names() -> frozenset[str]:
    """The tables that ship."""
    folder = resources.files(__package__).joinpath("takes")
    return frozenset(file.name.removesuffix(".toml") for file in folder.iterdir() if file.name.endswith(".toml"))


def _rules(texts: Mapping[str, str]) -> Rules:
    return Rules({name: _rule(text) for name, text in texts.items()})


def _rule(text: str) -> Rule:
    return _PLAIN.get(text) or Rule("rewrite", text.removeprefix(_ARROW))

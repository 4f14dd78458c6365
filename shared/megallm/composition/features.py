"""Whether the features of the catalogue's tables are such as each kind of provider can read."""

import re
from collections.abc import Mapping

from megallm.catalog.compatibility import shipped
from megallm.catalog.upstreams import Kind
from megallm.messages.compatibility import Feature

# Every feature of these providers stands in their tables, with a value of its type.
_TABLES: Mapping[Kind, tuple[str, ...]] = {
    "anthropic": ("anthropic",),
    "bedrock": ("bedrock", "converse"),
    "embedded": (),
}

# What the texts among them may say, and how that is told.
_TEXTS: Mapping[Kind, Mapping[str, tuple[re.Pattern[str], str]]] = {
    "anthropic": {"anthropic_version": (re.compile(r"\d{4}-\d{2}-\d{2}"), "a date such as 2023-06-01")},
    "bedrock": {"api": (re.compile(r"invoke|converse"), '"invoke" or "converse"')},
}

_TYPES: Mapping[type[Feature], str] = {bool: "true or false", int: "a whole number", str: "a text"}


def fault_in(kind: Kind, features: Mapping[str, Feature]) -> tuple[str, str] | None:
    """The first feature that this kind of provider cannot read, and why; None where it can read them all."""
    if kind == "openai":
        # Imported only for who has such an upstream: it takes 6 ms of a start.
        from megallm.providers.openai.dialect import fault_in as fault_in_dialect

        return fault_in_dialect(features)
    known = {name: value for table in _TABLES[kind] for name, value in shipped(table).features.items()}
    for name, value in features.items():
        if name not in known:
            return name, f"a provider of the kind {kind} reads no such feature"
        if type(value) is not type(known[name]):
            return name, f"it must be {_TYPES[type(known[name])]}"
        wanted = _TEXTS.get(kind, {}).get(name)
        if wanted is not None and wanted[0].fullmatch(str(value)) is None:
            return name, f"it must be {wanted[1]}"
    return None

"""Callers' JSON schemas: whether a text follows one, and whether OpenAI's strict mode takes it.

The only module that knows jsonschema-rs, which bounds what a hostile pattern can cost.
"""

import importlib
from collections.abc import Mapping
from typing import TYPE_CHECKING

from pydantic_core import from_json

from megallm.errors import clip

if TYPE_CHECKING:
    import jsonschema_rs

JsonObject = Mapping[str, object]


class BadSchema(Exception):
    """It is no JSON schema, or it refers to something that is not in it; the message says what."""


class Schema:
    """A schema that texts can be checked against. Raises BadSchema."""

    def __init__(self, schema: JsonObject) -> None:
        # Imported when the first schema comes: 90 ms that a cold start need not pay.
        library = importlib.import_module("jsonschema_rs")
        try:
            self._validator: jsonschema_rs.Validator = library.validator_for(dict(schema), retriever=_nowhere)
        except ValueError as error:
            raise BadSchema(clip(str(error).partition("\n")[0], 300)) from error
        self.schema = schema

    def fault(self, text: str) -> str | None:
        """What is wrong with a text that should be JSON of this schema; None where nothing is."""
        try:
            value = from_json(text)
        except ValueError as error:
            return f"it is not valid JSON: {clip(str(error), 200)}"
        found = next(iter(self._validator.iter_errors(value)), None)
        if found is None:
            return None
        where = "".join(f"[{step!r}]" for step in found.instance_path)
        return clip(f"{where or 'the value'}: {found.message}", 500)


def _nowhere(uri: str) -> object:
    # Else the library would read files and the network for whoever writes a schema.
    raise ValueError(f"{clip(uri)} is not part of the schema")


_MOST_LEVELS = 10
_STRICT_KEYWORDS = frozenset(
    {
        "$defs", "$ref", "additionalProperties", "anyOf", "const", "definitions", "description", "enum",
        "exclusiveMaximum", "exclusiveMinimum", "format", "items", "maxItems", "maximum", "minItems", "minimum",
        "multipleOf", "pattern", "properties", "required", "title", "type",
    }
)  # fmt: skip
_STRICT_FORMATS = frozenset(
    {"date", "date-time", "duration", "email", "hostname", "ipv4", "ipv6", "time", "uuid"}
)  # fmt: skip


def is_strict(schema: JsonObject) -> bool:
    """Whether OpenAI's strict mode takes a schema as it is.

    Closed objects all of whose properties are required, and a subset of the keywords:
    https://platform.openai.com/docs/guides/structured-outputs#supported-schemas
    """
    return schema.get("type") == "object" and "anyOf" not in schema and _is_strict(schema, _MOST_LEVELS)


def _is_strict(schema: object, levels: int) -> bool:
    if not isinstance(schema, dict) or levels < 0 or not schema.keys() <= _STRICT_KEYWORDS:
        return False
    if schema.get("format", "uuid") not in _STRICT_FORMATS:
        return False
    properties = schema.get("properties", {})
    kind = schema.get("type")
    if kind == "object" or (isinstance(kind, list) and "object" in kind) or properties:
        closed = schema.get("additionalProperties") is False
        if not closed or not isinstance(properties, dict) or set(schema.get("required", [])) != set(properties):
            return False
    return all(_is_strict(part, levels - 1) for part in _inner(schema))


def _inner(schema: dict[str, object]) -> list[object]:
    inner: list[object] = []
    for keyword in ("properties", "$defs", "definitions"):
        parts = schema.get(keyword, {})
        inner += parts.values() if isinstance(parts, dict) else [None]
    if "items" in schema:
        inner.append(schema["items"])
    choices = schema.get("anyOf", [])
    inner += choices if isinstance(choices, list) else [None]
    return inner

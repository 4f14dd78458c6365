"""Which JSON schemas OpenAI's strict mode takes. Pure."""

from collections.abc import Mapping

JsonObject = Mapping[str, object]

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

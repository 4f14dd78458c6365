"""Writes JSON that upstreams can read: no infinity, which JSON has no word for."""

from math import isinf

from pydantic_core import to_json

from megallm.errors import InvalidRequest

_TOO_LARGE = "A number of the request is too large for JSON's readers"


def json_text(payload: object) -> bytes:
    """The payload as JSON. Raises InvalidRequest for a number such as 1e999, which is infinite once it is read."""
    text = to_json(payload)
    # The search for a word costs nothing beside the writing; only what has it is looked through.
    if b"Infinity" in text and _has_infinity(payload):
        raise InvalidRequest(_TOO_LARGE)
    return text


def _has_infinity(value: object) -> bool:
    match value:
        case float():
            return isinf(value)
        case dict():
            return any(map(_has_infinity, value.values()))
        case list() | tuple():
            return any(map(_has_infinity, value))
        case _:
            return False

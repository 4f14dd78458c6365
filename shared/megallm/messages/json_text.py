"""Writes JSON that upstreams can read: no infinity, which JSON has no word for."""

from math import isinf

from pydantic_core import to_json

from megallm.errors import InvalidRequest
from megallm.messages.few_values import LARGE_BYTES, few_values

_TOO_LARGE = "A number of the request is too large for JSON's readers"


def json_text(payload: object) -> bytes:
    """The payload as JSON. Raises InvalidRequest for a number such as 1e999, which is infinite once it is read."""
    text = to_json(payload)
    if len(text) >= LARGE_BYTES and (values := few_values(payload)) is not None:
        infinite = any(isinstance(value, float) and isinf(value) for value in values)
    else:
        # The search for a word costs little beside the writing; only what has it is looked through.
        infinite = b"Infinity" in text and _has_infinity(payload)
    if infinite:
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

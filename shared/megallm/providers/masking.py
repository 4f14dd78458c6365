"""What an operator has written into a provider's headers and query: no error may show it, should a server repeat it.

A key that has a setting of its own is known to its client; these are keys that have none.
"""

from collections.abc import Collection, Iterable, Mapping
from typing import Any

HIDDEN = "***"

# Their values are no secrets, and callers may have to read them in an error.
_PUBLIC = frozenset(
    {"accept", "anthropic-beta", "anthropic-version", "api-version", "content-type", "openai-beta", "user-agent"}
)
_LEAST_LETTERS = 6  # what is shorter stands in many a word


def secrets_of(*settings: Mapping[str, str]) -> frozenset[str]:
    """The values that may be secrets, and of a header such as ``Basic <credentials>`` also what stands behind."""
    values = [value for each in settings for name, value in each.items() if name.lower() not in _PUBLIC]
    parts = [part for value in values for part in (value, value.rpartition(" ")[2])]
    return frozenset(part for part in parts if len(part) >= _LEAST_LETTERS)


def masked_in(value: Any, secrets: Collection[str]) -> Any:  # Any: JSON of an upstream
    """JSON of any shape whose texts are without them."""
    match value:
        case str():
            return masked(value, secrets)
        case dict():
            return {name: masked_in(part, secrets) for name, part in value.items()}
        case list():
            return [masked_in(part, secrets) for part in value]
        case _:
            return value


def masked(text: str, secrets: Iterable[str]) -> str:
    """The text without them; the longest first, since one may be a part of another."""
    for secret in sorted(secrets, key=len, reverse=True):
        text = text.replace(secret, HIDDEN)
    return text

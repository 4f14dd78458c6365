"""What an operator has written into a provider's headers, query, body and address: no error shows what comes back.

A key that has a setting of its own is known to its client; these are keys that have none.
"""

import re
from base64 import b64encode
from collections.abc import Collection, Iterable, Mapping
from typing import Any
from urllib.parse import quote, unquote, urlsplit

HIDDEN = "***"

# Their values are no secrets, and callers may have to read them in an error.
_PUBLIC = frozenset(
    {"accept", "anthropic-beta", "anthropic-version", "api-version", "content-type", "openai-beta", "user-agent"}
)
# Of a request's body only what is under such names; `tokenizer` and `max_tokens` are none.
_OF_A_SECRET = re.compile(r"secret|passw|credential|authorization|(key|token)s?$", re.IGNORECASE)
_PART = re.compile(r'[^\s;,"=]+=*(?=[\s;,"]|$)')  # a word, or what stands behind a name and `=`
_LEAST_LETTERS = 6  # what is shorter stands in many a word


def secrets_of(*settings: Mapping[str, str]) -> frozenset[str]:
    """The values that may be secrets, as they are and as a URL has them.

    Of a header such as ``Basic <credentials>``, ``Token token="…"`` or a cookie also the parts.
    """
    values = [value for each in settings for name, value in each.items() if name.lower() not in _PUBLIC]
    parts = [part for value in values for part in (value, quote(value, safe=""), *_parts(value))]
    return frozenset(part for part in parts if len(part) >= _LEAST_LETTERS)


def userinfo(url: str) -> Mapping[str, str]:
    """What stands before the host of a URL such as ``https://name:password@host``, in each way that may come back."""
    given, at, _ = urlsplit(url).netloc.rpartition("@")
    if not at:
        return {}
    meant = unquote(given)
    return {
        "given": given,
        "meant": meant,
        "password": meant.partition(":")[2],
        # A header has them in Latin-1, as aiohttp writes it, or in UTF-8, as a proxy may write it anew.
        "basic": b64encode(meant.encode("latin-1", "replace")).decode(),
        "basic in UTF-8": b64encode(meant.encode()).decode(),
    }


def keys_in(body: object, path: str = "", *, is_secret: bool = False) -> Mapping[str, str]:
    """The texts in a part of every body, at any depth, whose name says that they are secrets; each by its path."""
    match body:
        case str():
            return {path: body} if is_secret else {}
        case Mapping():
            parts = [(f"{path}.{name}", part, _OF_A_SECRET.search(str(name))) for name, part in body.items()]
        case list():
            parts = [(f"{path}.{at}", part, None) for at, part in enumerate(body)]
        case _:
            return {}
    found = [keys_in(part, at, is_secret=is_secret or named is not None) for at, part, named in parts]
    return {at: text for each in found for at, text in each.items()}


def _parts(value: str) -> list[str]:
    parts: list[str] = _PART.findall(value)
    has_scheme = len(parts) > 1 and value.lstrip().partition(" ")[0].isalpha()
    return parts[1:] if has_scheme else parts


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

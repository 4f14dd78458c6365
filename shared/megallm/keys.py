"""API keys: their format, the record that is stored of one, and the proof that a key matches it.

A key is ``mega_<8-character id>_<43 characters of secret>``. It is found by its id and compared with
the SHA-256 of the whole; 256 random bits need no slower hash and no pepper.
"""

import hashlib
import hmac
import re
import secrets
import string
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, get_args

ANONYMOUS_ID = "anonymous"  # who came without a key, as only one's own machine allows; no key has so long an id

Tier = Literal["basic", "pro", "enterprise"]
KeyStatus = Literal["active", "expired", "revoked"]
TIERS: tuple[str, ...] = get_args(Tier)

_ID_ALPHABET = string.ascii_letters + string.digits
_FORMAT = re.compile(r"mega_([A-Za-z0-9]{8})_[A-Za-z0-9_-]{43}", re.ASCII)


@dataclass(frozen=True, slots=True)
class Limits:
    """What a key may do: requests and tokens in a minute, and calls at one time."""

    requests_per_minute: int
    tokens_per_minute: int
    concurrent: int


# What anybody may be given. The limiter spreads large numbers over several items; these take two hundred of them.
MOST = Limits(requests_per_minute=600_000, tokens_per_minute=10_000_000_000, concurrent=10_000)


@dataclass(frozen=True, slots=True)
class KeyRecord:
    """What is stored of a key. Times are in seconds since 1970; ``hash`` is hexadecimal.

    ``limits`` are the key's own numbers, in place of its tier's; only an enterprise key has some.
    """

    id: str
    hash: str
    name: str
    tier: Tier
    created_at: int
    expires_at: int | None = None
    revoked_at: int | None = None
    limits: Limits | None = None


@dataclass(frozen=True, slots=True)
class Caller:
    """Who makes a request. ``limits`` are the numbers of the key's own, where it has some."""

    key_id: str
    tier: Tier
    limits: Limits | None = None


def new_key(
    choose: Callable[[str], str] = secrets.choice, token: Callable[[int], str] = secrets.token_urlsafe
) -> tuple[str, str]:
    """A new key and its id. The key is shown once and kept nowhere."""
    key_id = "".join(choose(_ID_ALPHABET) for _ in range(8))
    return f"mega_{key_id}_{token(32)}", key_id


def id_of(key: str) -> str | None:
    """The id inside a key, or None where it has not a key's format."""
    match = _FORMAT.fullmatch(key)
    return match[1] if match else None


def hash_of(key: str) -> str:
    """What is stored in place of the key."""
    return hashlib.sha256(key.encode()).hexdigest()


def matches(record: KeyRecord, key: str) -> bool:
    """Whether this is the key of the record; takes the same time wherever they differ."""
    return hmac.compare_digest(record.hash, hash_of(key))


def status(record: KeyRecord, now: float) -> KeyStatus:
    """What the key is good for at *now*."""
    if record.revoked_at is not None:
        return "revoked"
    if record.expires_at is not None and record.expires_at <= now:
        return "expired"
    return "active"

"""What an upstream's refusal means for the caller (contract C32): statuses and headers in, errors of our tree out."""

import time
from collections.abc import Mapping
from email.utils import parsedate_to_datetime
from math import ceil, isfinite, nan

from megallm.errors import (
    GatewayError,
    InvalidRequest,
    RateLimited,
    RequestTooLarge,
    UpstreamFailed,
    UpstreamMisconfigured,
    UpstreamOverloaded,
    UpstreamTimedOut,
)

# Kept on a 429: they tell the caller when to come back.
_RETRY_AFTER, _RETRY_AFTER_MS = "retry-after", "retry-after-ms"
_TOLD_ON_BEGINNING = ("anthropic-ratelimit-", "x-ratelimit-")


def refusal(
    status: int, message: str, *, headers: Mapping[str, str] | None = None, param: str | None = None
) -> GatewayError:
    """The error for an HTTP status of an upstream; *message* is its text, which only caller's errors repeat.

    What it says of keys, accounts and paths is the operator's business, and may repeat a key: the log has its status.
    """
    error = _error(status, message, headers or {}, param)
    error.upstream_status = status
    return error


def _error(status: int, message: str, headers: Mapping[str, str], param: str | None) -> GatewayError:
    match status:
        case 400 | 422:
            return InvalidRequest(message, param=param)
        case 413:
            return RequestTooLarge(message)
        case 429:
            # Its text names the operator's account and limits; the headers tell when to come back.
            return RateLimited(
                "The model's provider is limiting requests; send it again later", headers=_told_on(headers)
            )
        case 408 | 504:
            return UpstreamTimedOut("The model's provider did not answer in time")
        case 503 | 529:
            return UpstreamOverloaded("The model's provider is overloaded", headers=_told_on(headers))
        case _ if 400 <= status < 500 or 300 <= status < 400:
            return UpstreamMisconfigured("The gateway is not set up right for this model's provider")
        case _:
            return UpstreamFailed("The model's provider failed")


def _told_on(headers: Mapping[str, str]) -> dict[str, str]:
    told: dict[str, str] = {}
    for name, value in headers.items():
        known = name.lower()
        if known == _RETRY_AFTER:
            value = _in_whole_seconds(value)
        elif known == _RETRY_AFTER_MS:
            value = value if value.isascii() and value.isdecimal() and int(value) > 0 else ""
        elif not known.startswith(_TOLD_ON_BEGINNING):
            continue
        if value and value.isascii() and value.isprintable():
            told[known] = value
    return told


def _in_whole_seconds(retry_after: str) -> str:
    """At least one second, since SDKs ignore a 0 (C34); a date is reckoned from now, and nonsense left out."""
    try:
        seconds = float(retry_after)
    except ValueError:
        seconds = _seconds_until(retry_after)
    return str(max(1, ceil(seconds))) if isfinite(seconds) else ""


def _seconds_until(date: str) -> float:
    try:
        return parsedate_to_datetime(date).timestamp() - time.time()
    except ValueError:
        return nan

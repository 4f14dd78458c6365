"""What an upstream's refusal means for the caller (contract C32): statuses and headers in, errors of our tree out."""

from collections.abc import Mapping

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
_TOLD_ON = ("retry-after", "retry-after-ms")
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
            return RateLimited(message, headers=_told_on(headers))
        case 408 | 504:
            return UpstreamTimedOut("The model's provider did not answer in time")
        case 503 | 529:
            return UpstreamOverloaded("The model's provider is overloaded", headers=_told_on(headers))
        case _ if 400 <= status < 500 or 300 <= status < 400:
            return UpstreamMisconfigured("The gateway is not set up right for this model's provider")
        case _:
            return UpstreamFailed("The model's provider failed")


def _told_on(headers: Mapping[str, str]) -> dict[str, str]:
    told = {name.lower(): value for name, value in headers.items()}
    return {
        name: value
        for name, value in told.items()
        if (name in _TOLD_ON or name.startswith(_TOLD_ON_BEGINNING)) and _is_honest(name, value)
    }


def _is_honest(name: str, value: str) -> bool:
    """SDKs ignore a retry-after of 0, and sleep all of a long one; a date they read as well (C34)."""
    return not (name.startswith("retry-after") and value.strip() in ("", "0"))

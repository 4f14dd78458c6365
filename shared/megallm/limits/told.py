"""What a client is told of its limits: the headers of every response, and the refusal."""

import time
from collections.abc import Mapping
from dataclasses import dataclass

from megallm.errors import RateLimited
from megallm.keys import Limits
from megallm.limits.decide import Limit, request_cost
from megallm.limits.state import MINUTE, SECOND, State

_PREFIX = "anthropic-ratelimit-"


@dataclass(frozen=True, slots=True)
class Left:
    """What is left of an allowance of ``limit`` a minute, and when it is full again, in nanoseconds since 1970."""

    limit: int
    remaining: int
    full_at: int


def left_requests(state: State, limits: Limits, now: int) -> Left:
    """Of the requests."""
    room = now + MINUTE - max(state.requests, now)
    remaining = min(limits.requests_per_minute, max(0, room // request_cost(limits)))
    return Left(limits.requests_per_minute, remaining, max(state.requests, now))


def left_tokens(state: State, limits: Limits, now: int) -> Left:
    """Of the tokens. A debt is nothing left for longer."""
    room = now + MINUTE - max(state.tokens, now)
    remaining = max(0, room * limits.tokens_per_minute // MINUTE)
    return Left(limits.tokens_per_minute, remaining, max(state.tokens, now))


def rates(state: State, part: Limits, whole: Limits, now: int) -> dict[str, str]:
    """The rate headers (C35). Input and output tokens come out of one allowance, so all three say the same.

    *part* is what this item counts of the key's *whole* numbers: the others are taken to have as much left.
    """
    requests = _of_all(left_requests(state, part, now), whole.requests_per_minute)
    tokens = _of_all(left_tokens(state, part, now), whole.tokens_per_minute)
    told: dict[str, str] = {}
    for left, names in ((requests, ("requests",)), (tokens, ("tokens", "input-tokens", "output-tokens"))):
        limit, remaining, reset = str(left.limit), str(left.remaining), _rfc3339(left.full_at)
        for name in names:
            told[f"{_PREFIX}{name}-limit"] = limit
            told[f"{_PREFIX}{name}-remaining"] = remaining
            told[f"{_PREFIX}{name}-reset"] = reset
    return told


def refusal(limit: Limit, limits: Limits, *, tokens: int, seconds: int, rates: Mapping[str, str]) -> RateLimited:
    """The 429: which limit, how much it allows, and after how many seconds to come back."""
    again = f"try again in {seconds} second{'s' if seconds > 1 else ''}"
    match limit:
        case "requests":
            what = f"This key may make {limits.requests_per_minute:,} requests per minute and has made them"
        case "tokens":
            what = (
                f"This key may use {limits.tokens_per_minute:,} tokens per minute, and this request of about "
                f"{tokens:,} does not fit into what is left of them"
            )
        case "concurrent":
            what = f"This key may have {limits.concurrent:,} requests under way at one time and has them"
    return RateLimited(f"{what}: {again}", headers={"retry-after": str(seconds), **rates})


def too_fast(seconds: int, rates: Mapping[str, str]) -> RateLimited:
    """The 429 for a key whose item gets more writes than DynamoDB does for one."""
    again = f"try again in {seconds} second{'s' if seconds > 1 else ''}"
    return RateLimited(
        f"The requests of this key come faster than they can be counted: {again}",
        headers={"retry-after": str(seconds), **rates},
    )


def whole_seconds(moment: int, now: int) -> int:
    """From now until then, rounded up, at least one: clients take no 0 and no fraction (C34)."""
    return max(1, -((now - moment) // SECOND))


def _of_all(left: Left, limit: int) -> Left:
    return left if left.limit == limit else Left(limit, left.remaining * limit // left.limit, left.full_at)


def _rfc3339(moment: int) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(-(-moment // SECOND)))

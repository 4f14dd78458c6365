"""Whether a request may go on: from what is known of the key to the write that lets it in, or to the refusal."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Literal, assert_never

from megallm.keys import Limits
from megallm.limits.state import MINUTE, SECOND, Admit, Advance, Replace, Restart, State

LEASE_SECONDS = 60
# How far apart the clocks of two processes may be. A moment that lies further ahead than any that they could have
# written was written by a clock that was wrong, and is put right.
CLOCKS_APART_SECONDS = 5
# A key to which nobody was let in for so long is forgotten, and its ledger with it: three months are at most 92 days,
# and the call that was let in last may end a little later. A debt that would last longer is forgotten, too.
FORGET_SECONDS = 100 * 24 * 3600

Limit = Literal["requests", "tokens", "concurrent"]


@dataclass(frozen=True, slots=True)
class Refused:
    """Which limit stands in the way, and the moment from which it does not: as far as is known, and at least."""

    limit: Limit
    until: int


@dataclass(frozen=True, slots=True)
class Guess:
    """Whether a moment that had passed when it was last seen has been moved on by others since: what is more likely."""

    requests_moved: bool = False
    tokens_moved: bool = False


def request_cost(limits: Limits) -> int:
    """How far a request moves its moment on, in nanoseconds."""
    return MINUTE // limits.requests_per_minute


def tokens_cost(limits: Limits, tokens: int) -> int:
    """How far so many tokens move theirs on."""
    return tokens * MINUTE // limits.tokens_per_minute


def decide(
    seen: State, limits: Limits, *, now: int, tokens: int, lease: str, guess: Guess = Guess()
) -> Admit | Refused:
    """What to write so that a request of *tokens* is admitted under *lease*, or why it is not.

    The write's conditions hold only if *seen* is still true in what matters. Of several limits that refuse, the one
    that lasts longest is told.
    """
    cost, price = request_cost(limits), tokens_cost(limits, tokens)
    known = _put_right(seen, now, cost, price)
    if known is not seen:
        guess = Guess()
    requests = _take(known.requests, cost, now, guess.requests_moved)
    spent = _take(known.tokens, price, now, guess.tokens_moved)
    ended = ended_leases(seen.leases, now)
    refusals: list[Refused] = []
    if len(seen.leases) - len(ended) >= limits.concurrent:
        refusals.append(Refused("concurrent", now))
    if isinstance(requests, int):
        refusals.append(Refused("requests", requests))
    if isinstance(spent, int):
        refusals.append(Refused("tokens", spent))
    if refusals:
        return max(refusals, key=lambda refused: refused.until)
    assert not isinstance(requests, int)
    assert not isinstance(spent, int)
    wrong = known is not seen
    return Admit(
        lease=lease,
        ends=now // SECOND + LEASE_SECONDS,
        requests=_replacing(seen.requests, known.requests, requests) if wrong else requests,
        tokens=_replacing(seen.tokens, known.tokens, spent) if wrong else spent,
        room=limits.concurrent + len(ended),
        dropped=ended,
        forget_at=now // SECOND + FORGET_SECONDS,
        create=not seen.exists,
    )


def ended_leases(leases: Mapping[str, int], now: int) -> dict[str, int]:
    """The leases whose time is over, or longer than leases are."""
    seconds = now // SECOND
    latest = seconds + LEASE_SECONDS + CLOCKS_APART_SECONDS
    return {lease: ends for lease, ends in leases.items() if not seconds < ends <= latest}


def _take(moment: int, cost: int, now: int, moved: bool) -> Restart | Advance | int:
    """The move that takes *cost*, or the moment from which it can be taken."""
    if cost > MINUTE:  # more than a whole minute gives: let through when the allowance is full, and paid off after
        return Restart(now, now + cost) if moment <= now else moment
    most = now + MINUTE - cost
    if moment > most:
        return moment + cost - MINUTE
    if moment > now or (moved and most > now):
        return Advance(now, most, cost)
    return Restart(now, now + cost)


def _put_right(seen: State, now: int, cost: int, price: int) -> State:
    """The state as it is; or, where a wrong clock wrote it, as if that had been right, but with room for this request.

    A refusal writes nothing. Were this request refused, so would be each one after it until time has caught up with the
    wrong clock, since the moments are put right by what the requests' is wrong, and stay as far from now as they are.
    """
    wrong_by = seen.requests - (now + MINUTE)
    if wrong_by <= CLOCKS_APART_SECONDS * SECOND:
        return seen
    tokens = min(seen.tokens - wrong_by, now + max(0, MINUTE - price))
    return replace(seen, requests=now + MINUTE - cost, tokens=tokens)


def _replacing(seen: int, known: int, move: Restart | Advance) -> Replace:
    """The same move, of a moment that is stored as *seen* and should have been *known*."""
    match move:
        case Restart(to=to):
            return Replace(seen, to)
        case Advance(by=by):
            return Replace(seen, known + by)
        case _:
            assert_never(move)

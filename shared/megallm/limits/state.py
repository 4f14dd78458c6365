"""What is kept of a key's use, and the writes that change it: each happens whole, or not at all.

A limit of so many a minute is kept as one moment: when the allowance will be full again (GCRA). Taking something from
it moves the moment on; time itself gives it back. The moment may lie one minute ahead at most when something is taken,
so what a minute gives can be taken at once, and no more. Nanoseconds, so that no limit that we allow is rounded.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Literal

from megallm.limits.ledger import Count

SECOND = 1_000_000_000
MINUTE = 60 * SECOND

Clock = Literal["requests", "tokens", "requests_queue", "tokens_queue", "slots_queue"]


@dataclass(frozen=True, slots=True)
class State:
    """The use of a key, or of one shard of it.

    ``requests`` and ``tokens`` are the moments when those allowances are full again, in nanoseconds since 1970: in the
    past where they are. ``leases`` has the end of the lease of each call under way, in seconds since 1970. The queues
    are the moments up to which callers that were refused have been given times to come back. ``months`` are those that
    the item has figures of.
    """

    requests: int = 0
    tokens: int = 0
    leases: Mapping[str, int] = field(default_factory=dict)
    requests_queue: int = 0
    tokens_queue: int = 0
    slots_queue: int = 0
    months: frozenset[int] = frozenset()
    exists: bool = True  # False: nothing is stored of the key, which is as good as a key that was idle for long

    def moment(self, clock: Clock) -> int:
        """One of the moments, by its name."""
        moment: int = getattr(self, clock)
        return moment

    def with_moment(self, clock: Clock, to: int) -> "State":
        """The state with one moment moved."""
        match clock:
            case "requests":
                return replace(self, requests=to)
            case "tokens":
                return replace(self, tokens=to)
            case "requests_queue":
                return replace(self, requests_queue=to)
            case "tokens_queue":
                return replace(self, tokens_queue=to)
            case "slots_queue":
                return replace(self, slots_queue=to)


@dataclass(frozen=True, slots=True)
class Restart:
    """A moment that has passed, at ``passed`` or before, is set to ``to``."""

    passed: int
    to: int


@dataclass(frozen=True, slots=True)
class Advance:
    """A moment that lies after ``after``, and not beyond ``most``, moves on ``by``. DynamoDB has no maximum of two."""

    after: int
    most: int
    by: int


@dataclass(frozen=True, slots=True)
class Replace:
    """A moment that is exactly ``seen`` becomes ``to``."""

    seen: int
    to: int


Move = Restart | Advance | Replace


@dataclass(frozen=True, slots=True)
class Admit:
    """Takes a request and its tokens, and a slot under the new id ``lease``.

    ``dropped`` are leases that have ended and go in the same write: with them the map has fewer than ``room`` entries.
    """

    lease: str
    ends: int
    requests: Move
    tokens: Move
    room: int
    dropped: Mapping[str, int]
    forget_at: int
    create: bool


@dataclass(frozen=True, slots=True)
class Settle:
    """Corrects the tokens by what the call used more (or less) than was reserved, and frees the slot: if it is held.

    The same write counts the call in the key's ledger.
    """

    lease: str
    tokens_by: int
    count: Count | None = None


@dataclass(frozen=True, slots=True)
class Charge:
    """Corrects the tokens of a call whose lease had ended before it did, and counts it."""

    tokens_by: int
    count: Count | None = None


@dataclass(frozen=True, slots=True)
class Renew:
    """Lengthens a lease that is still held."""

    lease: str
    ends: int


@dataclass(frozen=True, slots=True)
class Queue:
    """Takes a place among those that were refused, in one line or two."""

    moves: Mapping[Clock, Restart | Advance]


Write = Admit | Settle | Charge | Renew | Queue

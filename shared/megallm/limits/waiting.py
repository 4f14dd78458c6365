"""When those who were refused should come back: one after the other, each when there may be room for it.

A place in line is taken by moving the line's end on, as the limits themselves are, so that all processes share it.
Nothing is kept for whoever has a place: it is the best that can be told, and never less than must be waited.
"""

from dataclasses import dataclass

from megallm.keys import Limits
from megallm.limits.decide import LEASE_SECONDS, Refused, ended_leases, request_cost, tokens_cost
from megallm.limits.state import MINUTE, SECOND, Advance, Clock, Queue, Restart, State

# How late a place may be: older SDKs do not believe in more than a minute.
LATEST_SECONDS = 60
# What a call takes, as long as nothing longer was seen.
USUAL_CALL_SECONDS = 6


@dataclass(frozen=True, slots=True)
class Line:
    """Those who wait for one limit.

    An empty line starts at ``head``, and each who waits takes a ``step`` of it. Whose place ends at some moment may
    come ``before`` it.
    """

    clock: Clock
    head: int
    step: int
    before: int

    def room(self, state: State, latest: int) -> int:
        """How many more places there are, of which none is later than *latest*."""
        return max(0, (latest + self.before - max(state.moment(self.clock), self.head)) // self.step)

    def move(self, state: State, latest: int, count: int) -> Restart | Advance:
        """What takes so many places at the end, unless the last would be later than *latest*."""
        by = count * self.step
        if state.moment(self.clock) > self.head:
            return Advance(self.head, latest + self.before - by, by)
        return Restart(self.head, self.head + by)

    def when(self, state: State, behind: int) -> int:
        """When whoever has a place may come, with so many behind it."""
        return state.moment(self.clock) - behind * self.step - self.before


@dataclass(frozen=True, slots=True)
class Wait:
    """The lines that a refused request stands in, and the first and the last moment that anybody is told."""

    lines: tuple[Line, ...]
    soonest: int
    latest: int

    def places(self, state: State, wanted: int) -> tuple[Queue, int] | None:
        """The write that takes the next places, as many as there are and wanted; None where all would be too late."""
        count = min(wanted, *(line.room(state, self.latest) for line in self.lines))
        if count == 0:
            return None
        return Queue({line.clock: line.move(state, self.latest, count) for line in self.lines}), count

    def when(self, state: State, behind: int = 0) -> int:
        """The moment for the last place of *state*, or for one with so many behind it."""
        return max(self.soonest, *(line.when(state, behind) for line in self.lines))

    def anywhere(self, fraction: float) -> int:
        """A moment for somebody without a place; *fraction* is in [0, 1)."""
        return self.soonest + int((self.latest - self.soonest) * fraction)


def wait_of(state: State, refused: Refused, limits: Limits, *, now: int, tokens: int) -> Wait:
    """How a request of *tokens* waits for the limit that refused it."""
    soonest = max(refused.until, now)
    latest = max(now + LATEST_SECONDS * SECOND, soonest + LATEST_SECONDS * SECOND // 6)
    requests = Line("requests_queue", max(state.requests, now), request_cost(limits), MINUTE)
    match refused.limit:
        case "requests":
            return Wait((requests,), soonest, latest)
        case "tokens":
            cost = max(1, tokens_cost(limits, tokens))
            line = Line("tokens_queue", max(state.tokens, now), cost, max(cost, MINUTE))
            return Wait((line,), soonest, latest)
        case "concurrent":
            # They take a request each when they come: those who wait for requests come after them.
            slots = Line("slots_queue", now, _call_nanoseconds(state, now) // limits.concurrent, 0)
            return Wait((slots, requests), soonest, latest)


def _call_nanoseconds(state: State, now: int) -> int:
    """How long a call may take: twice what one that is running has taken so far, as far as its lease tells."""
    ended = ended_leases(state.leases, now)
    ages = (now // SECOND - (ends - LEASE_SECONDS) for lease, ends in state.leases.items() if lease not in ended)
    return max(USUAL_CALL_SECONDS, 2 * max(ages, default=0)) * SECOND

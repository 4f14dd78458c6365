"""What one process remembers of the items that it has seen: good for guesses, and for refusing again for a moment."""

from collections import OrderedDict
from dataclasses import dataclass, replace

from megallm.keys import Limits
from megallm.limits.decide import Guess, Limit, Refused, ended_leases
from megallm.limits.state import SECOND, Admit, Advance, Queue, Restart, State

ITEMS = 10_000  # bounds the memory that many keys take

# For how long a refusal is believed without asking again, if its time is not over before. Tokens and slots are given
# back by whoever settles elsewhere; requests only where a wrong clock is put right.
_BELIEVED: dict[Limit, int] = {"requests": 5 * SECOND, "tokens": 5 * SECOND, "concurrent": SECOND}

_LIKELY = 0.5
_WEIGHT_OF_THE_LAST = 0.2


@dataclass(slots=True)
class View:
    """One item, as it was last seen."""

    state: State
    # How often, of late, others had moved on what had passed when this process last saw it: from 0 to 1.
    _requests_moved: float = 0.0
    _tokens_moved: float = 0.0
    _refused: Refused | None = None
    _refused_tokens: int = 0
    _refused_under: Limits | None = None
    _refused_at: int = 0
    _believed_until: int = 0
    _too_fast_at: int = 0
    _took_places_at: int = 0

    def saw(self, state: State) -> None:
        """What an answer told. Places in line that were given out here are kept: nobody else knows of them."""
        ours = self.state
        self.state = replace(
            state,
            requests_queue=max(state.requests_queue, ours.requests_queue),
            tokens_queue=max(state.tokens_queue, ours.tokens_queue),
            slots_queue=max(state.slots_queue, ours.slots_queue),
        )

    def refuse(self, refused: Refused, limits: Limits, tokens: int, now: int) -> None:
        """The table has just refused a request of *tokens* under *limits*."""
        self._refused = refused
        self._refused_tokens = tokens
        self._refused_under = limits
        self._refused_at = now
        believed = _BELIEVED[refused.limit]
        self._believed_until = now + believed if refused.until <= now else min(refused.until, now + believed)

    def refusal(self, limits: Limits, tokens: int, now: int) -> Refused | None:
        """The same refusal again, as long as it is believed; of tokens only to a request that needs as many."""
        if self._refused is None or self._refused_under != limits:
            return None
        if not self._refused_at <= now < self._believed_until:  # a clock may have been set back
            return None
        if self._refused.limit == "tokens" and tokens < self._refused_tokens:
            return None
        return self._refused

    def found_too_fast(self, now: int) -> None:
        """DynamoDB has just said that the item gets too many writes."""
        self._too_fast_at = now

    def is_too_fast(self, now: int) -> bool:
        """Whether it has said so within a second."""
        return 0 <= now - self._too_fast_at < SECOND

    def takes_places(self, now: int) -> None:
        """Places in line are being taken in the table."""
        self._took_places_at = now

    def may_take_places(self, now: int) -> bool:
        """Whether none were for a second, so that a remembered refusal may cost a write."""
        return not 0 <= now - self._took_places_at < SECOND

    def settled(self) -> None:
        """A call of this key has ended here: there is a slot again, and perhaps tokens."""
        if self._refused is not None and self._refused.limit != "requests":
            self._refused = None

    def hopeful(self, now: int) -> tuple[State, Guess]:
        """The state as the next request would like it: much may have been given back since it was seen."""
        seen = self.state
        hoped = replace(
            seen,
            leases=ended_leases(seen.leases, now),
            requests=min(seen.requests, now),
            tokens=min(seen.tokens, now),
        )
        guess = Guess(
            requests_moved=seen.requests > now or self._requests_moved > _LIKELY,
            tokens_moved=seen.tokens > now or self._tokens_moved > _LIKELY,
        )
        return hoped, guess

    def learn(self, seen: State, tried: Admit, found: State | None, now: int) -> None:
        """Whether others had moved on what had passed when it was *seen*; *found* is None where *tried* was right."""
        if seen.requests <= now:
            moved = isinstance(tried.requests, Advance) if found is None else found.requests > now
            self._requests_moved += (moved - self._requests_moved) * _WEIGHT_OF_THE_LAST
        if seen.tokens <= now:
            moved = isinstance(tried.tokens, Advance) if found is None else found.tokens > now
            self._tokens_moved += (moved - self._tokens_moved) * _WEIGHT_OF_THE_LAST

    def take_place(self, place: Queue) -> None:
        """Gives out a place in line without telling the others."""
        for clock, move in place.moves.items():
            end = move.to if isinstance(move, Restart) else self.state.moment(clock) + move.by
            self.state = self.state.with_moment(clock, end)


class Memory:
    """The views of this process; those not used for longest are forgotten first."""

    def __init__(self, items: int = ITEMS) -> None:
        self._items = items
        self._views: OrderedDict[str, View] = OrderedDict()

    def view(self, item_id: str) -> View:
        """The view of an item; of one never seen, that it is idle."""
        view = self._views.get(item_id)
        if view is None:
            view = self._views[item_id] = View(State())
            if len(self._views) > self._items:
                self._views.popitem(last=False)
        else:
            self._views.move_to_end(item_id)
        return view

"""How many calls of one process are in flight to one upstream: as many as it bears, found out by trying.

Additive increase, multiplicative decrease: a round of answers makes room for one more, a refusal for lack of capacity
halves the room, once for all calls that were under way when it came. After a refusal nobody calls for a while.
"""

import asyncio
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field, replace

BASE_SECONDS = 0.5
MOST_SECONDS = 60.0
TOLD_MOST_SECONDS = 900.0  # an upstream that says when to come back is believed, up to this
_DOUBLINGS = 8


@dataclass(frozen=True, slots=True)
class Pace:
    """What is known of an upstream's capacity. Moments are of a monotonic clock, in seconds."""

    room: float
    most: int
    slowed_at: float = float("-inf")
    refusals: int = 0  # one after the other, counted once a round trip
    not_before: float = 0.0


def after_answer(pace: Pace, began: float) -> Pace:
    """A call that began at *began* was answered."""
    if pace.room == pace.most and not pace.refusals:
        return pace
    room = min(float(pace.most), pace.room + 1 / pace.room)
    if began < pace.slowed_at:  # it was let in before the refusal, and says nothing of now
        return replace(pace, room=room)
    return replace(pace, room=room, refusals=0)


def after_refusal(pace: Pace, began: float, now: float, told_seconds: float | None, fraction: float) -> Pace:
    """A call that began at *began* found no capacity; *told_seconds* is what the upstream asks for.

    *fraction* in [0, 1) spreads processes that were refused together.
    """
    told = min(TOLD_MOST_SECONDS, told_seconds or 0.0)
    if began < pace.slowed_at:
        return replace(pace, not_before=max(pace.not_before, now + told))
    doubled = min(MOST_SECONDS, BASE_SECONDS * 2 ** min(pace.refusals, _DOUBLINGS))
    wait = max(told, doubled * (1 + fraction) / 2)
    return replace(
        pace,
        room=max(1.0, pace.room / 2),
        slowed_at=now,
        refusals=pace.refusals + 1,
        not_before=max(pace.not_before, now + wait),
    )


@dataclass(slots=True)
class Slots:
    """The room of one upstream, shared by the parts of one process: they are let in one after the other, in turn."""

    most: int
    clock: Callable[[], float]
    fraction: Callable[[], float]
    in_flight: int = 0
    pace: Pace = field(init=False)
    _waiting: deque[asyncio.Future[None]] = field(default_factory=deque)
    _timer: asyncio.TimerHandle | None = None

    def __post_init__(self) -> None:
        self.pace = Pace(float(self.most), self.most)

    async def enter(self, *, first: bool = False) -> float:
        """Waits for a slot and gives the moment at which it was had. *first*: before those who wait already."""
        if not self._waiting and self._is_open():
            self.in_flight += 1
            return self.clock()
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        if first:
            self._waiting.appendleft(turn)
        else:
            self._waiting.append(turn)
        self._let_in()
        try:
            await turn
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled():
                self.leave()
            elif turn in self._waiting:
                self._waiting.remove(turn)
                self._let_in()
            raise
        return self.clock()

    def leave(self) -> None:
        """Gives a slot back."""
        self.in_flight -= 1
        self._let_in()

    def answered(self, began: float) -> None:
        """A call that began then was answered, well or not."""
        self.pace = after_answer(self.pace, began)

    def refused(self, began: float, told_seconds: float | None) -> None:
        """A call that began then found no capacity."""
        self.pace = after_refusal(self.pace, began, self.clock(), told_seconds, self.fraction())

    @property
    def closed_seconds(self) -> float:
        """How long nobody may call from now on."""
        return max(0.0, self.pace.not_before - self.clock())

    def _is_open(self) -> bool:
        return self.in_flight < int(self.pace.room) and self.clock() >= self.pace.not_before

    def _let_in(self) -> None:
        while self._waiting and self._is_open():
            turn = self._waiting.popleft()
            if not turn.done():
                self.in_flight += 1
                turn.set_result(None)
        if self._waiting and self._timer is None and (seconds := self.closed_seconds) > 0:
            self._timer = asyncio.get_running_loop().call_later(seconds, self._open)
        if not self._waiting and self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _open(self) -> None:
        self._timer = None
        self._let_in()

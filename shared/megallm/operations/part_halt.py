"""When the work on a part stops before its items are done, and what becomes of those: decided purely."""

from dataclasses import dataclass
from typing import Literal, assert_never

from megallm.batches.model import StopReason
from megallm.batches.results import Canceled, Expired

# lost: another attempt has the part, or nobody needs it: nothing more is written.
# hand_over: what is done is recorded, and the rest goes back to the queue.
# The others end the part: what was not done gets its result without a call.
Halt = Literal["lost", "hand_over"] | StopReason

STOP_SECONDS = 20.0  # nothing begins so shortly before the function ends
CUT_SECONDS = 8.0  # nothing runs so shortly before it, so that what is done can still be recorded
SPARE_SECONDS = 10.0  # between the end of the longest call and the function's
HAND_BACK_SECONDS = 60.0  # for a longer wait no worker is kept
WAITING_SECONDS = 30.0  # nor for an allowance, once so much of the time, and most of it, was spent waiting for that
_GATHERING_SECONDS = 60.0
DELAY_MOST_SECONDS = 900  # of SQS


@dataclass(frozen=True, slots=True)
class Situation:
    """What is known at a moment. Durations are in seconds; ``seconds_left`` is None where the process does not end.

    Of ``run_seconds`` nothing was in flight for ``waiting_seconds``, as the owner's allowance gave nothing;
    ``parts_left`` is how many parts of the batch are not done.
    """

    lost: bool = False
    reason: StopReason | None = None
    draining: bool = False
    seconds_left: float | None = None
    longest_call_seconds: float = 0.0
    closed_seconds: float = 0.0
    waiting_seconds: float = 0.0
    run_seconds: float = 0.0
    parts_left: int = 1

    @property
    def is_waiting(self) -> bool:
        """Whether others could make better use of the worker.

        Of many parts none comes back so seldom as it should: they have less patience, so that together they keep no
        more workers than a few parts do.
        """
        patience = WAITING_SECONDS * min(1.0, DELAY_MOST_SECONDS / (_GATHERING_SECONDS * self.parts_left))
        return self.waiting_seconds > max(patience, self.run_seconds / 2)


def halt_of(now: Situation) -> Halt | None:
    """Why nothing new begins; None where it goes on."""
    if now.lost:
        return "lost"
    if now.reason is not None:
        return now.reason
    if now.draining or now.closed_seconds > HAND_BACK_SECONDS or now.is_waiting:
        return "hand_over"
    if now.seconds_left is None:
        return None
    needed = max(STOP_SECONDS, now.longest_call_seconds + SPARE_SECONDS, now.closed_seconds + STOP_SECONDS)
    return "hand_over" if now.seconds_left < needed else None


def waiting_delay(now: Situation, fraction: float) -> float:
    """When a part is to come again whose worker mostly waited for the allowance: once a minute's worth has gathered.

    That is as much as gathers. The other parts of the batch are after it as well: one of them comes at a time.
    *fraction* in [0, 1) spreads them.
    """
    in_turn = _GATHERING_SECONDS * now.parts_left * (1 + fraction) / 2
    return min(float(DELAY_MOST_SECONDS), max(now.closed_seconds, in_turn))


def cuts(halt: Halt, now: Situation) -> bool:
    """Whether calls in flight are cancelled rather than waited for."""
    match halt:
        case "lost" | "canceled" | "expired":
            return True
        case "hand_over" | "max_cost":
            return now.lost or (now.seconds_left is not None and now.seconds_left < CUT_SECONDS)
        case _:
            assert_never(halt)


def outcome_of(reason: StopReason) -> Canceled | Expired:
    """What an item gets that was not done by then."""
    return Expired() if reason == "expired" else Canceled()

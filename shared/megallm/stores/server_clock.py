"""The time by which limits are counted: this machine's, unless DynamoDB's own shows that it is wrong.

Every answer carries the server's date, in whole seconds. So the processes of a deployment agree within two or three,
however wrong their machines' clocks are. Until its first answer a process counts by its machine's: what a wrong one
writes is put right by the next process (limits/decide.py), and costs the key the rest of its minute.
"""

import time
from collections.abc import Callable
from email.utils import parsedate_to_datetime

from megallm.limits.state import SECOND

# Less than this the date, which has no fractions and was on its way for a while, cannot tell.
_TOLERANCE = SECOND
# An answer that comes so soon after a correction may be one to a request that was sent before it: no attempt takes
# longer. When it was sent is then a time of the clock as it was, which must not correct the clock as it is.
_SETTLES = 5 * SECOND


class ServerClock:
    """Nanoseconds since 1970."""

    def __init__(self, wall: Callable[[], int] = time.time_ns) -> None:
        self._wall = wall
        self._correction = 0
        self._corrected_at: int | None = None  # by the machine's clock
        self._last_date = ""

    def __call__(self) -> int:
        return self._wall() + self._correction

    def observe(self, date: str, sent: int, received: int) -> None:
        """An answer with this ``Date`` header came to a request; both times are this clock's."""
        if date == self._last_date or self._has_just_been_corrected():
            return
        try:
            begins = int(parsedate_to_datetime(date).timestamp()) * SECOND
        except ValueError:
            return
        self._last_date = date
        if sent > begins + SECOND + _TOLERANCE or received < begins - _TOLERANCE:
            self._correction += begins + SECOND // 2 - (sent + received) // 2
            self._corrected_at = self._wall()

    def _has_just_been_corrected(self) -> bool:
        # Where the machine's clock is put right meanwhile, this ends, and the correction is put right with it.
        return self._corrected_at is not None and 0 <= self._wall() - self._corrected_at < _SETTLES

"""The time by which limits are counted: this machine's, unless DynamoDB's own shows that it is wrong.

Every answer carries the server's date, in whole seconds. So the processes of a deployment agree within two or three,
however wrong their machines' clocks are; what reaches the table from one wrong clock would lock a key out for all.
"""

import time
from collections.abc import Callable
from email.utils import parsedate_to_datetime

from megallm.limits.state import SECOND

# Less than this the date, which has no fractions and was on its way for a while, cannot tell.
_TOLERANCE = SECOND


class ServerClock:
    """Nanoseconds since 1970."""

    def __init__(self, wall: Callable[[], int] = time.time_ns) -> None:
        self._wall = wall
        self._correction = 0
        self._last_date = ""

    def __call__(self) -> int:
        return self._wall() + self._correction

    def observe(self, date: str, sent: int, received: int) -> None:
        """An answer with this ``Date`` header came to a request; both times are this clock's."""
        if date == self._last_date:
            return
        try:
            begins = int(parsedate_to_datetime(date).timestamp()) * SECOND
        except ValueError:
            return
        self._last_date = date
        if sent > begins + SECOND + _TOLERANCE or received < begins - _TOLERANCE:
            self._correction += begins + SECOND // 2 - (sent + received) // 2

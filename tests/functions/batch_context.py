"""Lambda's context, as far as the batch functions need it."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Remaining:
    """One with so much time left."""

    seconds: float = 900.0

    def get_remaining_time_in_millis(self) -> int:
        return int(self.seconds * 1000)

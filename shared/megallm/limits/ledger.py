"""The ledger of a key: what its calls used, by calendar month (UTC). Pure.

Its figures stand in the limiter's own items, so that the write which settles a call counts it in the same stroke.
"""

import re
import time
from dataclasses import dataclass

# This month and the two before; the first call after that takes older ones away.
KEPT_MONTHS = 3

_FIRST_YEAR = 2026  # months are numbered from here: a short number is a short name in the item
_WRITTEN = re.compile(r"(\d{4})-(0[1-9]|1[0-2])", re.ASCII)


@dataclass(frozen=True, slots=True)
class Used:
    """What one call used, or many. ``input_tokens`` are all of the prompt's: those of caches are among them.

    ``nanodollars`` are billionths of a US dollar, so that the price of a small call is no fraction of them; None where
    the catalogue has no price.
    """

    requests: int = 0
    input_tokens: int = 0
    cache_read_tokens: int = 0
    cache_write_tokens: int = 0
    output_tokens: int = 0
    nanodollars: int | None = None

    def plus(self, other: "Used") -> "Used":
        """Both together; None is no summand."""
        known = [price for price in (self.nanodollars, other.nanodollars) if price is not None]
        return Used(
            self.requests + other.requests,
            self.input_tokens + other.input_tokens,
            self.cache_read_tokens + other.cache_read_tokens,
            self.cache_write_tokens + other.cache_write_tokens,
            self.output_tokens + other.output_tokens,
            sum(known) if known else None,
        )


@dataclass(frozen=True, slots=True)
class Count:
    """Adds a call to the figures of a month, and takes away those of months that are kept no longer."""

    month: int
    used: Used
    dropped: tuple[int, ...] = ()


def count_of(used: Used, seconds: int, months: frozenset[int]) -> Count:
    """How a call that ends so many *seconds* after 1970 began is counted in an item that has figures of *months*."""
    month = month_at(seconds)
    return Count(month, used, tuple(sorted(other for other in months if other <= month - KEPT_MONTHS)))


def month_at(seconds: float) -> int:
    """The number of the month of a moment in seconds since 1970."""
    moment = time.gmtime(seconds)
    return max(0, (moment.tm_year - _FIRST_YEAR) * 12 + moment.tm_mon - 1)


def month_written(month: int) -> str:
    """As ``2026-11``."""
    return f"{_FIRST_YEAR + month // 12}-{month % 12 + 1:02}"


def month_read(text: str) -> int | None:
    """The number of a month that is written so; None for anything else, and for what is before the first."""
    found = _WRITTEN.fullmatch(text)
    if found is None or int(found[1]) < _FIRST_YEAR:
        return None
    return (int(found[1]) - _FIRST_YEAR) * 12 + int(found[2]) - 1

"""How a user writes when a key expires: a span such as `90d`, `12h`, `30m`, `2w`, or a date such as `2027-12-31`."""

import re
from datetime import UTC, date, datetime, time, timedelta

LONGEST = timedelta(days=3653)  # ten years; for longer than that there are keys that never expire

_UNITS = {"m": "minutes", "h": "hours", "d": "days", "w": "weeks"}
_SPAN = re.compile(r"([1-9][0-9]{0,9})([mhdw])", re.ASCII)
_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", re.ASCII)  # date.fromisoformat alone takes weeks as well
_NEITHER = "{!r} is neither a span such as 30d or 12h nor a date such as 2027-12-31"


class BadExpiry(ValueError):
    """Not a way to write an expiry, or one that is too far away."""


def parse_expiry(text: str, now: datetime) -> int:
    """Seconds since 1970. A date means its end in UTC: the key is good on that day. Raises BadExpiry."""
    try:
        left = _left(text, now)
    except OverflowError:
        left = timedelta.max
    if left > LONGEST:
        raise BadExpiry(f"{text!r} is more than ten years away; without --expires a key never ends")
    return int((now + left).timestamp())


def _left(text: str, now: datetime) -> timedelta:
    if span := _SPAN.fullmatch(text):
        return timedelta(**{_UNITS[span[2]]: int(span[1])})
    if _DATE.fullmatch(text) is None:
        raise BadExpiry(_NEITHER.format(text))
    try:
        day = date.fromisoformat(text)
    except ValueError:
        raise BadExpiry(_NEITHER.format(text)) from None
    return datetime.combine(day, time(), UTC) - now + timedelta(days=1)


def written(seconds: int | None) -> str:
    """A time as people and scripts read it, in UTC; `never` for None."""
    return "never" if seconds is None else datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M")

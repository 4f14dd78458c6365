"""How a user writes when a key expires: `90d`, `12h`, `30m`, or a date."""

import re
from datetime import UTC, date, datetime, time, timedelta

_UNITS = {"m": "minutes", "h": "hours", "d": "days", "w": "weeks"}
_SPAN = re.compile(r"([1-9][0-9]{0,4})([mhdw])", re.ASCII)


class BadExpiry(ValueError):
    """Not a way to write an expiry."""


def parse_expiry(text: str, now: datetime) -> int:
    """Seconds since 1970. A date means its end in UTC: the key is good on that day. Raises BadExpiry."""
    if span := _SPAN.fullmatch(text):
        return int((now + timedelta(**{_UNITS[span[2]]: int(span[1])})).timestamp())
    try:
        day = date.fromisoformat(text)
    except ValueError:
        raise BadExpiry(f"{text!r} is neither a span such as 30d or 12h nor a date such as 2027-12-31") from None
    return int(datetime.combine(day + timedelta(days=1), time(), UTC).timestamp())


def written(seconds: int | None) -> str:
    """A time as people and scripts read it, in UTC; `never` for None."""
    return "never" if seconds is None else datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M")

"""How a user writes when a key expires."""

from datetime import UTC, datetime

import pytest

from megallm.cli.expiry import BadExpiry, parse_expiry, written

NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("90m", "2026-11-22 13:30"),
        ("12h", "2026-11-23 00:00"),
        ("30d", "2026-12-22 12:00"),
        ("2w", "2026-12-06 12:00"),
        ("2026-12-31", "2027-01-01 00:00"),
    ],
)
def test_a_span_counts_from_now_and_a_date_is_good_to_its_end(text: str, expected: str) -> None:
    """All in UTC, as the table shows them."""
    assert written(parse_expiry(text, NOW)) == expected


@pytest.mark.parametrize(
    "text",
    [
        "",
        "0d",
        "-1d",
        "30",
        "d",
        "30 days",
        "30y",
        "31.12.2026",
        "2026-13-01",
        "٣d",
        "2027-W01-1",
        "20271231",
        "2026-12-31\n",
        "30d\n",
    ],
)
def test_anything_else_is_refused(text: str) -> None:
    """A guess could make a key outlive what its owner meant."""
    with pytest.raises(BadExpiry):
        parse_expiry(text, NOW)


@pytest.mark.parametrize("text", ["9999-12-31", "99999w", "9999999999w", "2036-11-22", "522w"])
def test_more_than_ten_years_is_refused(text: str) -> None:
    """It is a slip, or a key that should be replaced some day; and no date has five digits."""
    with pytest.raises(BadExpiry, match="is more than ten years away; without --expires a key never ends"):
        parse_expiry(text, NOW)


@pytest.mark.parametrize(
    ("text", "expected"),
    [("3653d", "2036-11-22 12:00"), ("2036-11-21", "2036-11-22 00:00"), ("521w", "2036-11-16 12:00")],
)
def test_ten_years_are_not_too_many(text: str, expected: str) -> None:
    """The last ones that pass."""
    assert written(parse_expiry(text, NOW)) == expected


def test_a_date_that_is_past_is_left_to_the_operation() -> None:
    """It refuses every expiry in the past, however it was written."""
    assert written(parse_expiry("2020-01-01", NOW)) == "2020-01-02 00:00"


def test_no_expiry_is_never() -> None:
    """The table should not show an empty cell."""
    assert written(None) == "never"

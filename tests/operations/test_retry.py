"""When a failed call is sent again, and after how long."""

import pytest

from megallm.errors import (
    GatewayError,
    InvalidRequest,
    RateLimited,
    UpstreamFailed,
    UpstreamMisconfigured,
    UpstreamOverloaded,
)
from megallm.operations.retry import RetryPolicy

FULL = RetryPolicy(fraction=lambda: 1.0)
LONG = 600.0


@pytest.mark.parametrize(
    ("error", "tried", "left", "wait"),
    [
        (UpstreamOverloaded("x"), 1, LONG, 0.25),
        (UpstreamOverloaded("x"), 2, LONG, 0.5),
        (UpstreamOverloaded("x"), 3, LONG, None),
        (UpstreamFailed("x"), 1, 0.2, None),
        (UpstreamMisconfigured("x"), 1, LONG, None),
        (InvalidRequest("x"), 1, LONG, None),
        (RateLimited("x"), 1, LONG, 0.25),
        (RateLimited("x", headers={"retry-after": "3"}), 1, LONG, 3.0),
        (RateLimited("x", headers={"retry-after": "30"}), 1, LONG, None),
        (RateLimited("x", headers={"retry-after": "Wed, 21 Oct 2026 07:28:00 GMT"}), 1, LONG, 0.25),
    ],
)
def test_a_wait_fits_the_error_and_the_time_that_is_left(
    error: GatewayError, tried: int, left: float, wait: float | None
) -> None:
    """Doubled with each try, honest to the upstream, never past the deadline."""
    assert FULL.wait(error, tried, left) == wait


def test_waits_are_spread() -> None:
    """Anything from nothing to the whole."""
    parts = iter((0.0, 0.5, 0.99))
    policy = RetryPolicy(fraction=lambda: next(parts))

    waits = [policy.wait(UpstreamFailed("x"), 1, LONG) for _ in range(3)]

    assert waits == [0.0, 0.125, 0.2475]


def test_a_wait_has_a_bound() -> None:
    """However often it is tried."""
    assert RetryPolicy(tries=20, fraction=lambda: 1.0).wait(UpstreamFailed("x"), 10, LONG) == 2.0

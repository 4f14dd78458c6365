"""The headers and the refusals."""

from megallm.keys import Limits
from megallm.limits.decide import Limit
from megallm.limits.state import MINUTE, SECOND, State
from megallm.limits.told import rates, refusal, too_fast, whole_seconds

BASIC = Limits(50, 100_000, 10)
NOW = 1_800_000_000 * SECOND  # 2027-01-15T08:00:00Z


def three(name: str, limit: int, remaining: int, reset: str) -> dict[str, str]:
    return {
        f"anthropic-ratelimit-{name}-limit": str(limit),
        f"anthropic-ratelimit-{name}-remaining": str(remaining),
        f"anthropic-ratelimit-{name}-reset": reset,
    }


def all_of(requests: tuple[int, int, str], tokens: tuple[int, int, str]) -> dict[str, str]:
    return three("requests", *requests) | {
        name: value
        for kind in ("tokens", "input-tokens", "output-tokens")
        for name, value in three(kind, *tokens).items()
    }


def test_the_headers_tell_what_is_left_and_when_it_is_full_again() -> None:
    """C35, in RFC 3339, rounded up to the second."""
    state = State(requests=NOW + 3 * MINUTE // 50, tokens=NOW + MINUTE // 4 + 1)

    assert rates(state, BASIC, BASIC, NOW) == all_of(
        (50, 47, "2027-01-15T08:00:04Z"), (100_000, 74_999, "2027-01-15T08:00:16Z")
    )


def test_an_idle_key_has_everything() -> None:
    """Full now."""
    now = "2027-01-15T08:00:00Z"

    assert rates(State(), BASIC, BASIC, NOW) == all_of((50, 50, now), (100_000, 100_000, now))


def test_a_debt_is_nothing_left_for_longer() -> None:
    """Never a negative number."""
    state = State(requests=NOW + MINUTE, tokens=NOW + 10 * MINUTE)

    assert rates(state, BASIC, BASIC, NOW) == all_of(
        (50, 0, "2027-01-15T08:01:00Z"), (100_000, 0, "2027-01-15T08:10:00Z")
    )


def test_the_headers_of_a_spread_key_tell_the_whole() -> None:
    """As if its other items had as much left as this one."""
    part = Limits(3000, 50_000, 50)
    state = State(requests=NOW + MINUTE // 2, tokens=NOW + MINUTE // 2)

    assert rates(state, part, Limits(9000, 150_000, 150), NOW) == all_of(
        (9000, 4500, "2027-01-15T08:00:30Z"), (150_000, 75_000, "2027-01-15T08:00:30Z")
    )


def test_a_refusal_says_which_limit_how_much_and_when() -> None:
    """And has the headers of any other response."""
    cases: dict[Limit, int] = {"requests": 1, "tokens": 41, "concurrent": 2}

    told = {
        limit: refusal(limit, BASIC, tokens=12_000, seconds=seconds, rates={"a": "b"})
        for limit, seconds in cases.items()
    }

    assert {limit: error.message for limit, error in told.items()} == {
        "requests": "This key may make 50 requests per minute and has made them: try again in 1 second",
        "tokens": "This key may use 100,000 tokens per minute, and this request of about 12,000 does not fit into "
        "what is left of them: try again in 41 seconds",
        "concurrent": "This key may have 10 requests under way at one time and has them: try again in 2 seconds",
    }
    assert told["tokens"].headers == {"retry-after": "41", "a": "b"}
    assert too_fast(2, {"a": "b"}).headers == {"retry-after": "2", "a": "b"}


def test_seconds_are_whole_and_at_least_one() -> None:
    """C34: a client ignores 0, and one that comes early is refused again."""
    assert [whole_seconds(NOW + wait, NOW) for wait in (-SECOND, 0, 1, SECOND, SECOND + 1, 41 * SECOND)] == [
        1,
        1,
        1,
        1,
        2,
        41,
    ]

"""The decision: from a state to the write that admits, or to the refusal."""

from dataclasses import replace

import pytest

from megallm.keys import Limits
from megallm.limits.decide import FORGET_SECONDS, Guess, Refused, decide
from megallm.limits.state import MINUTE, SECOND, Admit, Advance, Replace, Restart, State

BASIC = Limits(50, 100_000, 10)
NOW = 1_800_000_000 * SECOND
REQUEST = MINUTE // 50  # 1.2 s
NO_GUESS = Guess()
TEN_TOKENS = 10 * MINUTE // 100_000


def decided(seen: State, *, tokens: int = 10, limits: Limits = BASIC, guess: Guess = NO_GUESS) -> Admit | Refused:
    return decide(seen, limits, now=NOW, tokens=tokens, lease="new", guess=guess)


def admission(requests: Restart | Advance | Replace, tokens: Restart | Advance | Replace) -> Admit:
    return Admit("new", NOW // SECOND + 60, requests, tokens, 10, {}, NOW // SECOND + FORGET_SECONDS, create=False)


def leases(count: int, ends: int) -> dict[str, int]:
    return {f"lease{number}": NOW // SECOND + ends for number in range(count)}


def test_a_key_without_an_item_gets_one() -> None:
    """Its first request."""
    assert decided(State(exists=False)) == replace(
        admission(Restart(NOW, NOW + REQUEST), Restart(NOW, NOW + TEN_TOKENS)), create=True
    )


def test_an_idle_key_starts_from_now() -> None:
    """What was not used a minute ago is not saved up."""
    idle = State(requests=NOW - 3600 * SECOND, tokens=NOW)

    assert decided(idle) == admission(Restart(NOW, NOW + REQUEST), Restart(NOW, NOW + TEN_TOKENS))


def test_a_busy_key_goes_on_from_where_it_is() -> None:
    """As long as a minute ahead is not passed."""
    busy = State(requests=NOW + 1, tokens=NOW + 5)

    assert decided(busy) == admission(
        Advance(NOW, NOW + MINUTE - REQUEST, REQUEST), Advance(NOW, NOW + MINUTE - TEN_TOKENS, TEN_TOKENS)
    )


def test_the_fiftieth_request_is_let_in_and_the_next_is_not() -> None:
    """It is told when it would be: when the first one is paid off."""
    fiftieth, next_one = State(requests=NOW + 49 * REQUEST), State(requests=NOW + 50 * REQUEST)

    assert isinstance(decided(fiftieth), Admit)
    assert decided(next_one) == Refused("requests", NOW + REQUEST)


def test_tokens_that_do_not_fit_are_refused_until_they_do() -> None:
    """The smaller the request, the sooner."""
    half_used = State(tokens=NOW + MINUTE // 2)

    assert isinstance(decided(half_used, tokens=50_000), Admit)
    assert decided(half_used, tokens=50_001) == Refused("tokens", NOW + 600_000)
    assert decided(half_used, tokens=100_000) == Refused("tokens", NOW + MINUTE // 2)


def test_a_request_larger_than_a_minute_passes_when_the_allowance_is_full() -> None:
    """A Basic key can send one prompt of 200,000 tokens, and pays it off in two minutes (C38)."""
    full, not_full = State(tokens=NOW), State(tokens=NOW + 7 * SECOND)

    assert decided(full, tokens=200_000) == admission(Restart(NOW, NOW + REQUEST), Restart(NOW, NOW + 2 * MINUTE))
    assert decided(not_full, tokens=200_000) == Refused("tokens", NOW + 7 * SECOND)


def test_a_debt_of_tokens_refuses_until_it_is_paid() -> None:
    """However much it is."""
    indebted = State(tokens=NOW + 10 * MINUTE)

    assert decided(indebted) == Refused("tokens", NOW + 9 * MINUTE + TEN_TOKENS)


def test_all_slots_taken_is_refused_for_now() -> None:
    """One may be free at any moment."""
    assert decided(State(leases=leases(10, ends=1))) == Refused("concurrent", NOW)


def test_leases_that_have_ended_make_room_and_are_dropped() -> None:
    """In the same write; those of calls that were killed (C37)."""
    ended = leases(3, ends=0)
    state = State(leases={**ended, **{f"live{number}": NOW // SECOND + 60 for number in range(9)}})

    decision = decided(state)

    assert isinstance(decision, Admit)
    assert (decision.dropped, decision.room) == (ended, 13)


def test_a_lease_longer_than_leases_are_has_ended() -> None:
    """A clock that was wrong wrote it; its holder, if it lives, will renew it."""
    decision = decided(State(leases=leases(10, ends=3600)))

    assert isinstance(decision, Admit)
    assert len(decision.dropped) == 10


def test_of_several_limits_the_one_that_lasts_longest_is_told() -> None:
    """Whoever comes back earlier would be refused again."""
    state = State(requests=NOW + MINUTE, tokens=NOW + 3 * MINUTE, leases=leases(10, ends=30))

    assert decided(state, tokens=100_000) == Refused("tokens", NOW + 3 * MINUTE)


@pytest.mark.parametrize("ahead", [1, 5])
def test_clocks_some_seconds_apart_are_nothing_wrong(ahead: int) -> None:
    """What another process wrote may lie that much further ahead."""
    assert decided(State(requests=NOW + MINUTE + ahead * SECOND)) == Refused("requests", NOW + REQUEST + ahead * SECOND)


def test_a_clock_that_was_set_back_locks_nobody_out() -> None:
    """One request is let in at once and leaves the allowance empty; the tokens keep what was used of them."""
    hour = 3600 * SECOND
    state = State(requests=NOW + MINUTE + hour, tokens=NOW + hour + 20 * SECOND)

    assert decided(state) == admission(
        Replace(state.requests, NOW + MINUTE), Replace(state.tokens, NOW + 20 * SECOND + TEN_TOKENS)
    )


@pytest.mark.parametrize("debt", [MINUTE - TEN_TOKENS + 1, 10 * MINUTE])
@pytest.mark.parametrize("tokens", [10, 100_000, 150_000])
def test_a_clock_that_was_set_back_locks_nobody_out_for_tokens(debt: int, tokens: int) -> None:
    """However many had been used: a refusal would write nothing, and so be said again until time has caught up."""
    hour = 3600 * SECOND
    state = State(requests=NOW + MINUTE + hour, tokens=NOW + hour + debt)

    after = NOW + max(MINUTE, tokens * MINUTE // 100_000)
    assert decided(state, tokens=tokens) == admission(
        Replace(state.requests, NOW + MINUTE), Replace(state.tokens, after)
    )


def test_what_was_guessed_to_have_moved_is_advanced() -> None:
    """On the condition that it has: others use the key too."""
    decision = decided(State(), guess=Guess(requests_moved=True))

    assert decision == admission(Advance(NOW, NOW + MINUTE - REQUEST, REQUEST), Restart(NOW, NOW + TEN_TOKENS))


@pytest.mark.parametrize("limit", [1, 7, 50, 59, 2999, 3000])
def test_a_minute_gives_exactly_as_many_requests_as_the_limit(limit: int) -> None:
    """All at once, and again after a minute: no rounding refuses one or lets one more in."""
    limits, state, admitted = Limits(limit, 10**10, 10**4), State(), 0

    for minute in (0, 1):
        while True:
            now = NOW + minute * MINUTE
            decision = decide(state, limits, now=now, tokens=1, lease="new")
            if isinstance(decision, Refused):
                break
            move = decision.requests
            state = State(requests=move.to if isinstance(move, Restart) else state.requests + decision_by(move))
            admitted += 1
        assert admitted == limit * (minute + 1)


def decision_by(move: Advance | Replace) -> int:
    assert isinstance(move, Advance)
    return move.by

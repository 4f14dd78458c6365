"""Retries and fallbacks over real connections: what fails before the first byte is tried again, here and elsewhere."""

from collections.abc import Iterator
from functools import partial

import pytest

from tests.contract.upstreams.asking import GOOD, Mode, Whole, ask, failed
from tests.contract.upstreams.dialect import Dialect
from tests.contract.upstreams.dialects import good
from tests.contract.upstreams.faults import BREAKS, CALLERS, FAILED, REFUSALS, RUBBISH, Fault, by_name
from tests.contract.upstreams.listener import Listener
from tests.contract.upstreams.staging import FALLBACKS, Stage, catalogue, model_for, route_of, stage


@pytest.fixture(scope="module")
def other() -> Iterator[Listener]:
    """The upstream of the second routes."""
    with Listener() as listener:
        yield listener


@pytest.fixture(scope="module")
def stubborn(
    upstream: Listener, other: Listener, credentials: None, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Stage]:
    """A gateway that tries each route twice."""
    text = catalogue(upstream.url, other_url=other.url)
    with stage(text, tmp_path_factory.mktemp("stubborn"), tries=2) as running:
        yield running


@pytest.fixture(scope="module")
def hasty(
    upstream: Listener, other: Listener, credentials: None, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Stage]:
    """A gateway whose first routes must not be silent for long, and which would try each twice.

    Each has answered once: what a first call loads and connects does not count against that time.
    """
    limits = "first_byte_seconds = 1.5\nwhole_reply_seconds = 1.5\n"
    text = catalogue(upstream.url, other_url=other.url, limits=limits)
    with stage(text, tmp_path_factory.mktemp("hasty"), tries=2) as running:
        for dialect, then in FALLBACKS:
            upstream.play(partial(good, dialect))
            other.play(partial(good, then))
            assert ask(running, model_for(dialect, then), "plain") == GOOD
        yield running


NAMES = ("429 without retry-after", "500", "503", "529", "HTML with 502", "JSON cut short", "closes at once")
PASSING = [fault for fault in (*REFUSALS, *RUBBISH, *BREAKS) if fault.name in NAMES]


@pytest.mark.parametrize("fault", PASSING, ids=str)
def test_what_passes_is_tried_again(
    upstream: Listener, stubborn: Stage, dialect: Dialect, mode: Mode, fault: Fault
) -> None:
    """Item 5 of the issue: the second try answers, and the client never learns of the first."""
    upstream.play(lambda received: fault.script(dialect, received), lambda received: good(dialect, received))

    outcome = ask(stubborn, model_for(dialect), mode)

    assert (outcome, len(upstream.exchanges)) == (GOOD, 2)
    assert outcome.headers["megallm-route"] == route_of(dialect)
    assert upstream.exchanges[0].received.body == upstream.exchanges[1].received.body


@pytest.mark.parametrize(("dialect", "then"), FALLBACKS, ids=[f"{one.name}-{two.name}" for one, two in FALLBACKS])
def test_the_next_route_answers_where_the_first_does_not(
    upstream: Listener, other: Listener, stubborn: Stage, dialect: Dialect, then: Dialect, mode: Mode
) -> None:
    """Two tries at the first, then another dialect at another place; the header says which."""
    upstream.play(lambda received: by_name("500", REFUSALS).script(dialect, received))
    other.play(lambda received: good(then, received))

    outcome = ask(stubborn, model_for(dialect, then), mode)

    assert (outcome, len(upstream.exchanges), len(other.exchanges)) == (GOOD, 2, 1)
    assert outcome.headers["megallm-route"] == route_of(then, "other-")


@pytest.mark.parametrize(("dialect", "then"), FALLBACKS, ids=[f"{one.name}-{two.name}" for one, two in FALLBACKS])
def test_a_route_that_hangs_is_left_for_the_next(
    upstream: Listener, other: Listener, hasty: Stage, dialect: Dialect, then: Dialect, mode: Mode
) -> None:
    """After the time that the catalogue gives it, once, and its connection is closed."""
    upstream.play(lambda received: [upstream.gate, *good(dialect, received)])
    other.play(lambda received: good(then, received))

    outcome = ask(hasty, model_for(dialect, then), mode)

    assert (outcome, len(upstream.exchanges), len(other.exchanges)) == (GOOD, 1, 1)
    assert outcome.headers["megallm-route"] == route_of(then, "other-")
    upstream.exchanges[0].wait_until_peer_left()


def test_what_the_operator_must_mend_goes_to_the_next_route_at_once(
    upstream: Listener, other: Listener, stubborn: Stage, mode: Mode
) -> None:
    """A refused key will not be accepted a moment later."""
    dialect, then = FALLBACKS[0]
    upstream.play(lambda received: by_name("401", REFUSALS).script(dialect, received))
    other.play(lambda received: good(then, received))

    outcome = ask(stubborn, model_for(dialect, then), mode)

    assert (outcome, len(upstream.exchanges), len(other.exchanges)) == (GOOD, 1, 1)


def test_what_is_the_callers_fault_is_sent_once(
    upstream: Listener, other: Listener, stubborn: Stage, mode: Mode
) -> None:
    """Another route would refuse it too."""
    dialect, then = FALLBACKS[0]
    fault = by_name("400", CALLERS)
    upstream.play(lambda received: fault.script(dialect, received))
    other.play(lambda received: good(then, received))

    outcome = ask(stubborn, model_for(dialect, then), mode)

    assert (outcome, len(upstream.exchanges), len(other.exchanges)) == (failed(fault.outcome), 1, 0)


def test_a_reply_that_has_begun_is_never_begun_anew(
    upstream: Listener, other: Listener, stubborn: Stage, dialect: Dialect
) -> None:
    """The client has seen the beginning of one reply; it must not get the rest of another."""
    upstream.play(lambda received: by_name("closes in the middle", BREAKS).script(dialect, received))
    other.play(lambda received: good(dialect, received))

    outcome = ask(stubborn, model_for(dialect), "stream", gate=upstream.gate)

    assert (outcome, len(upstream.exchanges), len(other.exchanges)) == (failed(FAILED, begun=True), 1, 0)


def test_a_pooled_connection_that_the_upstream_has_closed_is_no_failure(
    upstream: Listener, stubborn: Stage, dialect: Dialect, mode: Mode
) -> None:
    """Servers close idle connections; the next call finds out and is sent again."""
    upstream.play(lambda received: good(dialect, received))
    before = ask(stubborn, model_for(dialect), mode)
    upstream.close_idle()

    assert isinstance(before, Whole)
    assert ask(stubborn, model_for(dialect), mode) == GOOD

"""Every fault at every kind of upstream, streaming and not, as the official SDK tells it to its user."""

import re

import pytest

from tests.contract.upstreams.asking import GOOD, Failed, Mode, ask, failed
from tests.contract.upstreams.dialect import Dialect
from tests.contract.upstreams.faults import (
    BAD_FIELD,
    BREAKS,
    CALLERS,
    FAILED,
    HARMLESS,
    REFUSALS,
    RUBBISH,
    Fault,
    by_name,
)
from tests.contract.upstreams.listener import Listener
from tests.contract.upstreams.staging import Stage, model_for


def play(upstream: Listener, dialect: Dialect, fault: Fault) -> None:
    upstream.play(lambda received: fault.script(dialect, received))


@pytest.mark.parametrize("fault", HARMLESS, ids=str)
def test_what_is_only_odd_arrives_whole(
    upstream: Listener, gateway: Stage, dialect: Dialect, mode: Mode, fault: Fault
) -> None:
    """C31: the same reply, however its bytes come."""
    play(upstream, dialect, fault)

    assert ask(gateway, model_for(dialect), mode) == GOOD


@pytest.mark.parametrize("fault", [*REFUSALS, *RUBBISH], ids=str)
def test_a_failure_before_the_first_event_is_a_status(
    upstream: Listener, gateway: Stage, dialect: Dialect, mode: Mode, fault: Fault
) -> None:
    """C28, C32: the class and type of what happened, alike for a stream that has not begun; and nothing leaks."""
    play(upstream, dialect, fault)

    outcome = ask(gateway, model_for(dialect), mode)

    assert fault.outcome is not None
    assert outcome == failed(fault.outcome)
    assert outcome.headers.get("x-should-retry") == (None if fault.outcome.retry else "false")


@pytest.mark.parametrize("fault", CALLERS, ids=str)
def test_what_is_the_callers_fault_is_told_in_the_upstreams_words(
    upstream: Listener, gateway: Stage, dialect: Dialect, mode: Mode, fault: Fault
) -> None:
    """C32, C33: a 400 says which field; an overflow is worded as clients look for it."""
    play(upstream, dialect, fault)

    outcome = ask(gateway, model_for(dialect), mode)

    assert fault.outcome is not None
    assert outcome == failed(fault.outcome)
    assert outcome.headers["x-should-retry"] == "false"
    if fault.name == "400":
        assert isinstance(outcome, Failed)
        assert BAD_FIELD in outcome.message
    if fault.name == "400 context overflow":
        assert isinstance(outcome, Failed)
        assert re.match(r"prompt is too long: \d+ tokens > \d+ maximum", outcome.message)


def test_a_connection_that_is_refused_is_a_500(gateway: Stage, dialect: Dialect, mode: Mode) -> None:
    """C32: nobody listens at the upstream's port."""
    assert ask(gateway, model_for(dialect, prefix="refused"), mode) == failed(FAILED)


@pytest.mark.parametrize("fault", BREAKS, ids=str)
def test_a_connection_that_breaks_gives_no_message(
    upstream: Listener, gateway: Stage, dialect: Dialect, mode: Mode, fault: Fault
) -> None:
    """C28: half a reply is an error: a status, or an event where the stream had begun."""
    play(upstream, dialect, fault)

    begun = mode == "stream" and "in the middle" in fault.name

    assert ask(gateway, model_for(dialect), mode, gate=upstream.gate) == failed(FAILED, begun=begun)


@pytest.mark.parametrize(("name", "expected"), [("with retry-after", "7"), ("without retry-after", None)])
def test_an_upstreams_retry_after_is_passed_on(
    upstream: Listener, gateway: Stage, dialect: Dialect, mode: Mode, name: str, expected: str | None
) -> None:
    """C32, C34: what the upstream says of the wait, and nothing invented."""
    play(upstream, dialect, by_name(f"429 {name}", REFUSALS))

    outcome = ask(gateway, model_for(dialect), mode)

    assert outcome.headers.get("retry-after") == expected

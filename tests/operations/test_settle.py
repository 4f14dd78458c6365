"""What a call is settled with, and that nothing cuts it short."""

import asyncio
from dataclasses import replace

import pytest

from megallm.catalog.models import Prices
from megallm.errors import (
    GatewayError,
    InvalidRequest,
    RateLimited,
    UpstreamFailed,
    UpstreamOverloaded,
    UpstreamTimedOut,
)
from megallm.limits.ledger import Used
from megallm.messages.events import Usage
from megallm.operations.settle import charged, counted, settle_to_the_end
from tests.fakes import RecordingLimiter

USED = Usage(input_tokens=7, output_tokens=3)


@pytest.mark.parametrize("failure", [None, UpstreamFailed(""), asyncio.CancelledError(), InvalidRequest("")])
def test_what_is_known_is_charged(failure: BaseException | None) -> None:
    """However the call ended."""
    assert charged(USED, failure) == USED


@pytest.mark.parametrize(
    "failure", [InvalidRequest(""), RateLimited(""), UpstreamOverloaded(""), UpstreamFailed(""), GatewayError("")]
)
def test_a_call_that_was_refused_is_charged_nothing(failure: GatewayError) -> None:
    """Three tries of a large prompt against an overloaded upstream must not use up minutes."""
    assert charged(None, failure) == Usage()


@pytest.mark.parametrize("failure", [None, asyncio.CancelledError(), UpstreamTimedOut(""), RuntimeError()])
def test_a_call_of_which_nothing_is_known_keeps_its_reservation(failure: BaseException | None) -> None:
    """Who sends large prompts and goes away before the first byte has caused their costs."""
    assert charged(None, failure) is None


def test_a_reply_whose_upstream_counts_nothing_keeps_its_reservation() -> None:
    """Nobody gets tokens for nothing."""
    assert charged(Usage(), None) is None
    assert charged(Usage(), UpstreamFailed("")) == Usage()


def test_the_ledger_gets_the_whole_prompt_and_its_price() -> None:
    """Cached tokens are told apart, too, and have prices of their own; fractions of a millionth are not lost."""
    usage = Usage(input_tokens=10, output_tokens=3, cache_read_input_tokens=5, cache_creation_input_tokens=1)
    prices = Prices(input=0.25, output=1.25, cache_read=0.025, cache_write=0.5)
    used = Used(requests=1, input_tokens=16, cache_read_tokens=5, cache_write_tokens=1, output_tokens=3)

    assert counted(usage, None) == used
    assert counted(usage, prices) == replace(used, nanodollars=2500 + 3750 + 125 + 500)


def test_a_call_of_which_nothing_is_known_is_a_request_in_the_ledger() -> None:
    """One that is charged nothing is not in it at all."""
    assert counted(None, Prices(input=1, output=1)) == Used(requests=1)
    assert counted(Usage(), Prices(input=1, output=1)) is None


def test_a_cancelled_settlement_finishes_first() -> None:
    """And then passes the cancellation on."""
    limiter = RecordingLimiter()

    async def work() -> None:
        settling = asyncio.create_task(settle_to_the_end(limiter, USED))
        await limiter.settling.wait()
        settling.cancel()
        with pytest.raises(asyncio.CancelledError):
            await settling
        assert limiter.settled == [USED]

    asyncio.run(work())

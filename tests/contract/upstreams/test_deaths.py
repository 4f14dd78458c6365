"""Streams that end before they should, at every frame and in every way: nothing that was cut passes for whole."""

import pytest

from tests.contract.upstreams.asking import GOOD, Whole, ask, failed
from tests.contract.upstreams.dialect import CONTENT, STOP_REASON, Dialect
from tests.contract.upstreams.dialects import DIALECTS, good
from tests.contract.upstreams.faults import FAILED
from tests.contract.upstreams.listener import Close, Listener, Reset
from tests.contract.upstreams.staging import Stage, model_for
from tests.contract.upstreams.stream_faults import (
    BIG_TEXT,
    big_frame,
    died_after,
    endless_frame,
    error_at_once,
    error_in_the_middle,
    no_http_in_the_middle,
)

DEATHS = [(dialect, frames) for dialect in DIALECTS for frames in range(len(dialect.frames()) + 1)]
ENDS = {"in-order": None, "torn": Close(), "reset": Reset()}


@pytest.mark.parametrize("how", ENDS.values(), ids=ENDS)
@pytest.mark.parametrize(("dialect", "frames"), DEATHS, ids=[f"{each.name}-{count}" for each, count in DEATHS])
def test_a_stream_that_dies_after_any_frame_is_whole_or_an_error(
    upstream: Listener, gateway: Stage, dialect: Dialect, frames: int, how: Close | Reset | None
) -> None:
    """C28: what ends before the frame that says why it ended is an error, never an invented end_turn."""
    upstream.play(lambda received: died_after(frames, how)(dialect, received))

    outcome = ask(gateway, model_for(dialect), "stream")

    if frames < dialect.whole_after:
        assert outcome in (failed(FAILED), failed(FAILED, begun=True))
    elif frames == len(dialect.frames()) and how is None:
        assert outcome == GOOD
    elif isinstance(outcome, Whole):  # all was said but the usage
        assert (outcome.content, outcome.stop_reason) == (CONTENT, STOP_REASON)
    else:
        assert outcome == failed(FAILED, begun=True)


def test_an_end_without_an_end_mark_is_an_end(upstream: Listener, gateway: Stage, dialect: Dialect) -> None:
    """C28: where the reply says why it ended, the mark behind it (``[DONE]``, the metadata) may be missing."""
    upstream.play(lambda received: died_after(dialect.whole_after, None)(dialect, received))

    outcome = ask(gateway, model_for(dialect), "stream")

    assert isinstance(outcome, Whole)
    assert (outcome.content, outcome.stop_reason) == (CONTENT, STOP_REASON)


def test_an_error_event_in_the_middle_is_an_error(upstream: Listener, gateway: Stage, dialect: Dialect) -> None:
    """C28: told as ours, with our request id and without the upstream's words."""
    upstream.play(lambda received: error_in_the_middle(dialect, received))

    assert ask(gateway, model_for(dialect), "stream", gate=upstream.gate) == failed(FAILED, begun=True)


def test_what_is_no_http_in_the_middle_is_an_error(upstream: Listener, gateway: Stage, dialect: Dialect) -> None:
    """C28: at once, and not when the time is up; the upstream's connection is closed."""
    upstream.play(lambda received: no_http_in_the_middle(dialect, received))

    assert ask(gateway, model_for(dialect), "stream", gate=upstream.gate) == failed(FAILED, begun=True)
    upstream.exchanges[-1].wait_until_peer_left()


def test_an_error_event_at_once_is_a_status(upstream: Listener, gateway: Stage, dialect: Dialect) -> None:
    """C28: the upstream has sent its 200, and we have not."""
    upstream.play(lambda received: error_at_once(dialect, received))

    assert ask(gateway, model_for(dialect), "stream") == failed(FAILED)


def test_a_big_frame_arrives_whole(upstream: Listener, gateway: Stage, dialect: Dialect) -> None:
    """2 MB of text in one frame are a reply like any other."""
    upstream.play(lambda received: big_frame(dialect, received))

    outcome = ask(gateway, model_for(dialect), "stream")

    assert isinstance(outcome, Whole)
    assert outcome.content == [{"type": "text", "text": f"Hello{BIG_TEXT}, world"}, CONTENT[1]]


def test_a_frame_without_an_end_is_an_error(upstream: Listener, gateway: Stage, dialect: Dialect) -> None:
    """What an upstream makes us hold is bounded."""
    upstream.play(lambda received: endless_frame(dialect, received))

    assert ask(gateway, model_for(dialect), "stream", gate=upstream.gate) == failed(FAILED, begun=True)
    upstream.exchanges[-1].wait_until_peer_left()


def test_a_connection_is_used_again_after_a_whole_reply(upstream: Listener, gateway: Stage, dialect: Dialect) -> None:
    """And after an error whose body was read; what was broken off is closed."""
    upstream.play(lambda received: good(dialect, received))
    ask(gateway, model_for(dialect), "stream")
    before = upstream.connections

    ask(gateway, model_for(dialect), "stream")
    ask(gateway, model_for(dialect), "plain")

    assert upstream.connections == before

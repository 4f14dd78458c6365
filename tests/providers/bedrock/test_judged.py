"""Replies that must follow a schema which Bedrock does not hold the model to: judged, repaired, refused (C24)."""

from collections.abc import Callable

from megallm.errors import RateLimited, UpstreamFailed
from megallm.messages.calls import Call
from megallm.messages.events import (
    Usage,
)
from megallm.messages.requests import MessagesRequest
from megallm.providers.judging import UNFIT

from .fake_bedrock import refusal
from .judging import BAD, COMPLAINT, GOOD, MAKES, TEXT, WAYS, ask, nova, seen, value


@MAKES
@WAYS
def test_a_reply_that_follows_its_schema_is_given(make: Callable[[], Call[MessagesRequest]], streaming: bool) -> None:
    """Without its fence; one call."""
    outcome, usage, asked = ask(make(), streaming, [value(GOOD)])

    assert seen(outcome) == (TEXT, "end_turn", 9, 2)
    assert usage is not None
    assert (usage.input_tokens, usage.output_tokens, len(asked)) == (9, 2, 1)


@MAKES
@WAYS
def test_a_reply_that_does_not_is_asked_for_once_more(
    make: Callable[[], Call[MessagesRequest]], streaming: bool
) -> None:
    """The client sees one reply, and the tokens of both."""
    outcome, usage, (first, second) = ask(make(), streaming, [value(BAD), value(GOOD)])

    assert seen(outcome) == (TEXT, "end_turn", 18, 4)
    assert usage == Usage(18, 4)
    shown, complaint = ('```json\n{"city":7}\n```', COMPLAINT)
    added: list[object] = [{"role": "assistant", "content": shown}, {"role": "user", "content": complaint}]
    if make is nova:
        added = [
            {"role": "assistant", "content": [{"text": '{"city":7}'}]},
            {"role": "user", "content": [{"text": COMPLAINT}]},
        ]
    assert second == first | {"messages": [*first["messages"], *added]}  # type: ignore[misc]  # a list


@MAKES
@WAYS
def test_a_second_reply_that_does_not_follow_it_either_is_an_error(
    make: Callable[[], Call[MessagesRequest]], streaming: bool
) -> None:
    """No reply that its client could not read; what was used is known."""
    outcome, usage, asked = ask(make(), streaming, [value(BAD), value(BAD)])

    assert isinstance(outcome, UpstreamFailed)
    assert (outcome.message, usage, len(asked)) == (UNFIT, Usage(18, 4), 2)


@MAKES
@WAYS
def test_a_repair_that_is_refused_is_the_refusal(make: Callable[[], Call[MessagesRequest]], streaming: bool) -> None:
    """The first reply's tokens stay spent."""
    outcome, usage, _ = ask(make(), streaming, [value(BAD), lambda _: refusal("ThrottlingException", 429, "slow")])

    assert isinstance(outcome, RateLimited)
    assert usage is not None
    assert (usage.input_tokens, usage.output_tokens) == (9, 2)


@MAKES
@WAYS
def test_a_reply_that_was_cut_is_given_as_it_is(make: Callable[[], Call[MessagesRequest]], streaming: bool) -> None:
    """Its stop_reason says all."""
    outcome, _, asked = ask(make(), streaming, [value(None, reason="max_tokens", words='{"ci')])

    assert (seen(outcome), len(asked)) == ((({"type": "text", "text": '{"ci'},), "max_tokens", 9, 2), 1)


def test_several_stop_sequences_are_matched_in_both_answers() -> None:
    """Such calls are streamed, since only a stream can be ended."""
    outcome, usage, _ = ask(nova(stop_sequences=["A", "B"]), False, [value(BAD), value(GOOD)])

    assert (seen(outcome), usage) == ((TEXT, "end_turn", 18, 4), Usage(18, 4))

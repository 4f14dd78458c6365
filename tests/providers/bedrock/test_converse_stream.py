"""Replies of Converse as events: text, calls, thinking, and why they end."""

import pytest

from megallm.errors import UpstreamFailed
from megallm.messages.events import (
    BlockStart,
    BlockStop,
    InputJsonDelta,
    MessageDelta,
    MessageStart,
    MessageStop,
    SignatureDelta,
    TextDelta,
    ThinkingDelta,
    Usage,
)

from .converse_replies import ESTIMATE, METADATA, TOLD, USAGE, call, delta, ended, events_of, expected, reply_of, stop


def test_text() -> None:
    """Blocks of text have no start in Converse."""
    events = events_of([delta(0, {"text": "Hel"}), delta(0, {"text": "lo"}), stop(0), *ended("end_turn")])

    assert events == [
        MessageStart(Usage(1)),
        BlockStart(0, {"type": "text", "text": ""}),
        TextDelta(0, "Hel"),
        TextDelta(0, "lo"),
        BlockStop(0),
        MessageDelta("end_turn", USAGE),
        MessageStop(),
    ]


def test_cached_tokens_are_counted_apart() -> None:
    """As Converse counts them itself (C14)."""
    usage = {**TOLD, "cacheReadInputTokens": 100, "cacheWriteInputTokens": 20, "totalTokens": 137}
    reply = reply_of(
        [delta(0, {"text": "a"}), ("messageStop", {"stopReason": "end_turn"}), ("metadata", {"usage": usage})]
    )

    assert reply.usage == Usage(12, 5, cache_read_input_tokens=100, cache_creation_input_tokens=20)


def test_calls_after_text() -> None:
    """Their names are the client's own again, and an id that is missing is made."""
    sent = [
        delta(0, {"text": "Let me see."}),
        stop(0),
        call(1, name="short"),
        delta(1, {"toolUse": {"input": '{"city":'}}),
        delta(1, {"toolUse": {"input": '"Paris"}'}}),
        stop(1),
        call(2, identifier="", name="other"),
        stop(2),
        *ended("tool_use"),
    ]

    events = events_of(sent, expected(tool_names={"short": "the long name"}))

    assert events[1:] == [
        BlockStart(0, {"type": "text", "text": ""}),
        TextDelta(0, "Let me see."),
        BlockStop(0),
        BlockStart(1, {"type": "tool_use", "id": "t1", "name": "the long name", "input": {}}),
        InputJsonDelta(1, '{"city":'),
        InputJsonDelta(1, '"Paris"}'),
        BlockStop(1),
        BlockStart(2, {"type": "tool_use", "id": "toolu_1", "name": "other", "input": {}}),
        BlockStop(2),
        MessageDelta("tool_use", USAGE),
        MessageStop(),
    ]


@pytest.mark.parametrize("reason", ["tool_use", "end_turn"])
def test_a_reply_with_calls_ends_in_tool_use_and_one_without_does_not(reason: str) -> None:
    """Whatever the model's server says: clients go by it."""
    assert reply_of([call(0), stop(0), *ended(reason)]).stop_reason == "tool_use"
    assert reply_of([delta(0, {"text": "a"}), *ended(reason)]).stop_reason == "end_turn"


def test_thinking_gets_our_signature_and_goes_before_the_text() -> None:
    """Whether or not the block's end is told (C15)."""
    sent = [
        delta(0, {"reasoningContent": {"text": "H"}}),
        delta(0, {"reasoningContent": {"text": "m."}}),
        delta(0, {"reasoningContent": {"signature": "theirs"}}),
        delta(1, {"text": "Yes"}),
        *ended("end_turn"),
    ]

    assert events_of(sent)[1:6] == [
        BlockStart(0, {"type": "thinking", "thinking": "", "signature": ""}),
        ThinkingDelta(0, "H"),
        ThinkingDelta(0, "m."),
        SignatureDelta(0, "signed Hm."),
        BlockStop(0),
    ]


def test_thinking_before_a_call_and_at_the_end_is_signed_too() -> None:
    """Each piece by itself."""
    sent = [
        delta(0, {"reasoningContent": {"text": "A"}}),
        call(1),
        stop(1),
        delta(2, {"reasoningContent": {"text": "B"}}),
        *ended("tool_use"),
    ]

    signatures = [block.get("signature") for block in reply_of(sent).content]

    assert signatures == ["signed A", None, "signed B"]


def test_a_model_that_signs_itself_keeps_its_signatures() -> None:
    """And what it redacted."""
    sent = [
        delta(0, {"reasoningContent": {"text": "Hm."}}),
        delta(0, {"reasoningContent": {"signature": "theirs"}}),
        stop(0),
        delta(1, {"reasoningContent": {"redactedContent": "eHl6"}}),
        stop(1),
        delta(2, {"text": "Yes"}),
        *ended("end_turn"),
    ]

    reply = reply_of(sent, expected(sign=None))

    assert reply.content == (
        {"type": "thinking", "thinking": "Hm.", "signature": "theirs"},
        {"type": "redacted_thinking", "data": "eHl6"},
        {"type": "text", "text": "Yes"},
    )


@pytest.mark.parametrize(
    ("told", "reason", "explanation"),
    [
        ("max_tokens", "max_tokens", None),
        ("model_context_window_exceeded", "model_context_window_exceeded", None),
        ("guardrail_intervened", "refusal", "A guardrail intervened."),
        ("content_filtered", "refusal", "The content was filtered."),
    ],
)
def test_reasons_to_stop(told: str, reason: str, explanation: str | None) -> None:
    """Each has its counterpart; a filter's has details."""
    reply = reply_of([delta(0, {"text": "a"}), *ended(told)])

    details = None if explanation is None else {"type": "refusal", "category": None, "explanation": explanation}
    assert (reply.stop_reason, reply.stop_details) == (reason, details)


@pytest.mark.parametrize("told", ["malformed_tool_use", "malformed_model_output", "something_new"])
def test_a_reason_that_means_no_whole_reply_is_an_error(told: str) -> None:
    """Never an invented end_turn (C28)."""
    with pytest.raises(UpstreamFailed):
        events_of([delta(0, {"text": "a"}), *ended(told)])


def test_a_stream_without_its_end_is_an_error() -> None:
    """Even where its usage was told."""
    with pytest.raises(UpstreamFailed):
        events_of([delta(0, {"text": "a"}), stop(0), METADATA])


def test_an_end_without_usage_is_an_end() -> None:
    """Our own estimate stands in for it (C27)."""
    reply = reply_of([delta(0, {"text": "a"}), ("messageStop", {"stopReason": "end_turn"})])

    assert reply.usage == ESTIMATE

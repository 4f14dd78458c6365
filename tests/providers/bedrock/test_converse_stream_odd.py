"""Events of Converse that say nothing or cannot be, and whole replies."""

from collections.abc import Mapping

import pytest

from megallm.errors import UpstreamFailed
from megallm.messages.events import (
    MessageDelta,
    MessageStart,
    MessageStop,
    Reply,
    Usage,
)
from megallm.providers.bedrock.converse.stream import from_wire

from .converse_replies import TOLD, USAGE, call, delta, ended, events_of, expected, stop
from .frames import Event as Sent


@pytest.mark.parametrize("content", [{}, {"citation": {"title": "T"}}, {"text": ""}])
def test_events_that_say_nothing_become_nothing(content: Mapping[str, object]) -> None:
    """We ask for no citations."""
    sent = [
        ("contentBlockStart", {"contentBlockIndex": 0, "start": {}}),
        delta(0, content),
        ("news", {}),
        *ended("end_turn"),
    ]

    assert events_of(sent) == [MessageStart(Usage(1)), MessageDelta("end_turn", USAGE), MessageStop()]


@pytest.mark.parametrize(
    "sent",
    [
        ("contentBlockStart", {"contentBlockIndex": 0, "start": {"image": {"format": "png"}}}),
        delta(0, {"image": {"source": {"bytes": "AA=="}}}),
        delta(0, {"toolUse": {"input": "{}"}}),
        delta(0, {"toolResult": [{"text": "x"}]}),
    ],
)
def test_content_without_a_place_in_a_message_is_an_error(sent: Sent) -> None:
    """Lossless or loud (C04)."""
    with pytest.raises(UpstreamFailed):
        events_of([sent, *ended("end_turn")])


def test_malformed_arguments_are_an_error() -> None:
    """Not a broken block (C22)."""
    with pytest.raises(UpstreamFailed):
        events_of([call(0), delta(0, {"toolUse": {"input": '{"a":'}}), stop(0), *ended("tool_use")])


CONTENT = [
    {"reasoningContent": {"reasoningText": {"text": "Hm.", "signature": "theirs"}}},
    {"reasoningContent": {"redactedContent": "eHl6"}},
    {"reasoningContent": {"reasoningText": {"text": "So."}}},
    {"text": "Yes"},
    {"citationsContent": {"content": [{"text": ", so"}, {"text": " it is."}], "citations": []}},
    {"toolUse": {"toolUseId": "t1", "name": "get_weather", "input": {"city": "Paris"}}},
    {"toolUse": {"toolUseId": "t2", "name": "now", "input": {}}},
]


def whole(content: object, reason: str = "tool_use") -> dict[str, object]:
    """A reply of Converse."""
    message = {"role": "assistant", "content": content}
    return {"output": {"message": message}, "stopReason": reason, "usage": TOLD, "metrics": {"latencyMs": 7}}


def test_a_whole_reply() -> None:
    """Every kind of block."""
    reply = from_wire(whole(CONTENT), expected(sign=None))

    assert reply == Reply(
        (
            {"type": "thinking", "thinking": "Hm.", "signature": "theirs"},
            {"type": "redacted_thinking", "data": "eHl6"},
            {"type": "thinking", "thinking": "So.", "signature": ""},
            {"type": "text", "text": "Yes, so it is."},
            {"type": "tool_use", "id": "t1", "name": "get_weather", "input": {"city": "Paris"}},
            {"type": "tool_use", "id": "t2", "name": "now", "input": {}},
        ),
        "tool_use",
        USAGE,
    )


def test_a_whole_reply_that_a_stop_sequence_cuts_has_its_usage() -> None:
    """The upstream has told it all the same."""
    reply = from_wire(whole([{"text": "one END two"}], "end_turn"), expected(stop_sequences=("END",)))

    assert reply == Reply(({"type": "text", "text": "one "},), "stop_sequence", USAGE, "END")


@pytest.mark.parametrize(
    "payload",
    [
        {},
        {"output": {}},
        {"output": {"message": {"content": "text"}}},
        whole(["text"]),
        whole([{"video": {}}]),
        whole([{}]),
    ],
)
def test_a_whole_reply_that_is_none_is_an_error(payload: dict[str, object]) -> None:
    """And nothing else."""
    with pytest.raises(UpstreamFailed):
        from_wire(payload, expected())


def test_usage_that_cannot_be_read_counts_as_nothing() -> None:
    """A reply is not lost for it."""
    reply = from_wire({**whole([{"text": "a"}], "end_turn"), "usage": {"inputTokens": "many"}}, expected())

    assert reply.usage == Usage()

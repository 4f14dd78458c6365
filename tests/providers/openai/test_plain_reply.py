"""Completions that are nothing but text: read the shorter way, they say what they say by way of a stream."""

import json
from itertools import combinations
from typing import Any

import pytest

from megallm.messages.events import Reply, Usage
from megallm.providers.openai.chunks import parse
from megallm.providers.openai.plain_reply import plain_reply
from tests.providers.openai.transcripts_playing import expected, read, read_as_events

Json = dict[str, Any]  # Any: JSON of an upstream
ODD: tuple[object, ...] = (None, "", [], {}, 0, 1, "stop", "length", "x", " ", {"a": 1}, [{}], [{"text": "x"}], True)
OF_MESSAGES = (
    "content",
    "tool_calls",
    "refusal",
    "reasoning",
    "reasoning_content",
    "reasoning_details",
    "function_call",
)
OF_CHOICES = ("finish_reason", "index", "message", "delta", "error", "stop_reason", "content_filter_results")
OF_COMPLETIONS = ("choices", "error", "object", "usage", "timings", "x_groq")
READINGS = (expected(), expected("x"), expected(prefill="x"))


def completion(changes: tuple[tuple[str, object], ...]) -> bytes:
    """A plain one with other values in some places."""
    message: Json = {"role": "assistant", "content": "x y"}
    choice: Json = {"index": 0, "message": message, "finish_reason": "stop"}
    body: Json = {"choices": [choice], "usage": {"prompt_tokens": 5, "completion_tokens": 2}}
    for name, value in changes:
        for place, names in ((message, OF_MESSAGES), (choice, OF_CHOICES), (body, OF_COMPLETIONS)):
            if name in names:
                place[name] = value
    return json.dumps(body).encode()


@pytest.mark.parametrize(
    ("changes", "reply"),
    [
        ((), Reply(({"type": "text", "text": "x y"},), "end_turn", Usage(5, 2))),
        ((("finish_reason", "length"),), Reply(({"type": "text", "text": "x y"},), "max_tokens", Usage(5, 2))),
        (
            (("content", " é é é"), ("tool_calls", []), ("refusal", None), ("usage", None), ("index", None)),
            Reply(({"type": "text", "text": " é é é"},), "end_turn", Usage(9, 3)),
        ),
    ],
)
def test_text_and_nothing_else_is_plain(changes: tuple[tuple[str, object], ...], reply: Reply) -> None:
    """With its usage, or an estimate of it."""
    assert plain_reply(parse(completion(changes)), expected()) == reply


def test_whatever_else_a_completion_holds_is_read_as_by_way_of_a_stream() -> None:
    """Odd values in every place, one and two at a time: the same reply, or the same error."""
    places = (*OF_MESSAGES, *OF_CHOICES, *OF_COMPLETIONS)
    one = [((name, value),) for name in places for value in ODD]
    two = [(*first, *second) for first, second in combinations(one[::3], 2)]

    for changes in one + two:
        body = completion(changes)
        for reading in READINGS:
            assert read(body, reading) == read_as_events(body, reading), changes

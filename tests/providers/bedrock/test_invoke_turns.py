"""Turns in the body of InvokeModel: the system's, and a prefill."""

import pytest

from megallm.messages.calls import Adaptation
from megallm.messages.native.capabilities import GO_ON

from .asking import CALL_TURNS, WEATHER
from .invoke_asking import PREFILL, sent


def test_system_turns_become_users_words_where_the_model_has_no_such_role() -> None:
    """In front they are the system prompt; tool results stay in front of their turn (C06)."""
    result = {"type": "tool_result", "tool_use_id": "t1", "content": "cold"}
    turns = [
        {"role": "system", "content": "In French."},
        *CALL_TURNS,
        {"role": "system", "content": [{"type": "text", "text": "Now in Greek."}]},
        {"role": "user", "content": [result, {"type": "text", "text": "So?"}]},
        {"role": "system", "content": "Again."},
        {"role": "system", "content": "And again."},
    ]
    takes = {"features": {"system_turns": False}}

    body, adaptations = sent(turns, tools=[WEATHER], takes=takes)
    kept, none = sent(turns, tools=[WEATHER])

    assert body["system"] == [{"type": "text", "text": "In French."}]
    assert body["messages"] == [
        *CALL_TURNS,
        {
            "role": "user",
            "content": [
                result,
                {"type": "text", "text": "<system>\nNow in Greek.\n</system>"},
                {"type": "text", "text": "So?"},
            ],
        },
        {
            "role": "user",
            "content": [
                {"type": "text", "text": "<system>\nAgain.\n</system>"},
                {"type": "text", "text": "<system>\nAnd again.\n</system>"},
            ],
        },
    ]
    assert adaptations == tuple(Adaptation(f"messages.{at}", "user turn") for at in (3, 5, 6))
    assert (kept["messages"], none) == (turns, ())


def test_a_system_turn_that_shows_something_is_the_users_even_in_front() -> None:
    """A system prompt is words alone."""
    image = {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "AA=="}}
    turns = [
        {"role": "system", "content": [{"type": "text", "text": "See:"}, image]},
        {"role": "user", "content": "Hi"},
    ]

    body, adaptations = sent(turns, takes={"features": {"system_turns": False}})

    said = {"type": "text", "text": "<system>\nSee:\n</system>"}
    assert body["messages"] == [{"role": "user", "content": [said, image, {"type": "text", "text": "Hi"}]}]
    assert adaptations == (Adaptation("messages.0", "user turn"),)


def test_a_system_turn_before_the_assistants_is_a_turn_of_its_own() -> None:
    """The user's words are in front of it."""
    turns = [
        {"role": "user", "content": "Hi"},
        {"role": "assistant", "content": "Yes?"},
        {"role": "system", "content": "Greek."},
        {"role": "assistant", "content": "Nai"},
        {"role": "user", "content": "Bye"},
    ]

    body, _ = sent(turns, takes={"features": {"system_turns": False}})

    assert body["messages"][2] == {  # type: ignore[index]  # a list
        "role": "user",
        "content": [{"type": "text", "text": "<system>\nGreek.\n</system>"}],
    }


def test_a_prefill_is_asked_for_in_words_where_the_model_takes_none() -> None:
    """It would answer with a 400 (C05)."""
    body, adaptations = sent(PREFILL)

    assert body["messages"] == [*PREFILL, {"role": "user", "content": GO_ON}]
    assert adaptations == (Adaptation("messages.1", "continued by instruction"),)


@pytest.mark.parametrize(
    ("content", "trimmed"),
    [
        ("The answer is ", "The answer is"),
        ([{"type": "text", "text": "A"}, {"type": "text", "text": " \n"}], [{"type": "text", "text": "A"}]),
    ],
)
def test_a_prefill_loses_the_space_at_its_end(content: object, trimmed: object) -> None:
    """Anthropic's own API refuses it (C46)."""
    turns = [PREFILL[0], {"role": "assistant", "content": content}]

    body, adaptations = sent(turns, takes={"features": {"prefill": True}})

    assert body["messages"] == [PREFILL[0], {"role": "assistant", "content": trimmed}]
    assert adaptations == (Adaptation("messages.1.content", "trimmed"),)


@pytest.mark.parametrize("last", ["No space", [{"type": "tool_use", "id": "t9", "name": "f", "input": {}}], []])
def test_a_prefill_without_space_stays_as_it_is(last: object) -> None:
    """Byte for byte."""
    turns = [PREFILL[0], {"role": "assistant", "content": last}]

    assert sent(turns, takes={"features": {"prefill": True}}) == (
        {"max_tokens": 40, "messages": turns, "anthropic_version": "bedrock-2023-05-31"},
        (),
    )

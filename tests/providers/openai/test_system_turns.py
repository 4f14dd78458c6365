"""System turns between calls and their results: chat completions want nothing there (C06, C16)."""

import pytest

from .asking import ASKED, CALL, CALL_WIRE, IMAGE, IMAGE_PART, adapted, assistant, result, text, user, wire_of

CALLED = {"role": "assistant", "content": None, "tool_calls": [CALL_WIRE]}
SYSTEM = {"role": "system", "content": "Be brief."}
MOVED = "moved behind the tool results"


def test_a_system_turn_between_a_call_and_its_result_stands_behind_it() -> None:
    """Else an OpenAI-style server answers with a 400; the rest of the user's turn comes after it."""
    wire = wire_of([ASKED, assistant(CALL), SYSTEM, user(result("7"), text("So?")), SYSTEM, user(text("Well?"))])

    assert wire.messages == [
        ASKED,
        CALLED,
        {"role": "tool", "tool_call_id": "t1", "content": "7"},
        {"role": "developer", "content": "Be brief."},
        {"role": "user", "content": "So?"},
        {"role": "developer", "content": "Be brief."},
        {"role": "user", "content": "Well?"},
    ]
    assert adapted(wire) == [("messages.2", MOVED)]


def test_results_on_both_sides_of_a_system_turn_stand_together() -> None:
    """Each system message that makes way is named, and what tools showed follows where it was said."""
    second = {**CALL, "id": "t2"}
    wire = wire_of(
        [
            ASKED,
            assistant(CALL, second),
            user(result("7"), text("One.")),
            SYSTEM,
            SYSTEM,
            user(result(IMAGE, call_id="t2")),
        ]
    )

    assert wire.messages == [
        ASKED,
        {**CALLED, "tool_calls": [CALL_WIRE, {**CALL_WIRE, "id": "t2"}]},
        {"role": "tool", "tool_call_id": "t1", "content": "7"},
        {"role": "tool", "tool_call_id": "t2", "content": "(the attachment follows in the next user message)"},
        {"role": "user", "content": "One."},
        {"role": "developer", "content": "Be brief.\nBe brief."},
        {
            "role": "user",
            "content": [text("Attachment of the result of tool call t2:"), IMAGE_PART],
        },
    ]
    assert adapted(wire) == [("messages.3", MOVED), ("messages.4", MOVED)]


@pytest.mark.parametrize("said", [assistant(text("Well.")), {"role": "assistant", "content": "Well."}])
def test_other_system_turns_stay_where_they_are(said: dict[str, object]) -> None:
    """C06: before the call and behind the results."""
    answered = user(result("7"))
    wire = wire_of([ASKED, SYSTEM, said, ASKED, SYSTEM, assistant(CALL), answered, SYSTEM, ASKED])

    roles = [message["role"] for message in wire.messages]
    assert roles == ["user", "developer", "assistant", "user", "developer", "assistant", "tool", "developer", "user"]
    assert wire.adaptations == ()

"""A trailing assistant turn, which the reply goes on from (C05, C46)."""

import pytest

from .asking import (
    ASKED,
    CALL,
    CALL_WIRE,
    IMAGE,
    IMAGE_PART,
    adapted,
    assistant,
    messages_of,
    text,
    user,
    wire_of,
)

PREFILLED = [ASKED, {"role": "assistant", "content": "I see "}]


@pytest.mark.parametrize(
    ("mode", "last", "fields"),
    [
        ("trailing", {}, {}),
        ("continue_final_message", {}, {"add_generation_prompt": False, "continue_final_message": True}),
        ("prefix", {"prefix": True}, {}),
    ],
)
def test_a_trailing_assistant_turn_is_continued_where_the_server_can(
    mode: str, last: dict[str, object], fields: dict[str, object]
) -> None:
    """C05, C46: as each server wants to be told; nothing changes, white space included."""
    wire = wire_of(PREFILLED, takes={"features": {"prefill": mode}})

    assert wire.messages == [ASKED, {"role": "assistant", "content": "I see ", **last}]
    assert wire.body == {"model": "m-1", "messages": wire.messages, "max_completion_tokens": 40, **fields}
    assert (wire.prefill, wire.adaptations) == ("I see ", ())


TOLD = "Begin your reply with exactly the following text, and go on from there:\n\nI see "


@pytest.mark.parametrize(
    ("before", "expected"),
    [
        ([ASKED], [{"role": "user", "content": f"Look\n\n{TOLD}"}]),
        ([user(text("Look"), IMAGE)], [{"role": "user", "content": [text("Look"), IMAGE_PART, text(TOLD)]}]),
        ([], [{"role": "user", "content": TOLD}]),
        (
            [ASKED, {"role": "system", "content": "Now."}],
            [ASKED, {"role": "developer", "content": "Now."}, {"role": "user", "content": TOLD}],
        ),
    ],
)
def test_elsewhere_the_model_is_told_to_begin_so(
    before: list[dict[str, object]], expected: list[dict[str, object]]
) -> None:
    """C05: adapted loudly; the repetition is then taken out of the reply."""
    wire = wire_of([*before, PREFILLED[1]])

    assert wire.messages == expected
    assert adapted(wire) == [(f"messages.{len(before)}", "sent as an instruction")]
    assert wire.prefill == "I see "


def test_an_empty_trailing_turn_is_no_prefill() -> None:
    """Servers would answer it with the header of their template."""
    wire = wire_of([ASKED, assistant(text(""))], table="llama.cpp")

    assert (wire.messages, wire.prefill, wire.adaptations) == ([ASKED], "", ())


def test_calls_in_a_trailing_turn_stay_as_they_are() -> None:
    """They are no prefill; whoever sends them is told by the check of pairs."""
    assert messages_of([ASKED, assistant(text("a"), CALL)])[1:] == [
        {"role": "assistant", "content": "a", "tool_calls": [CALL_WIRE]}
    ]

"""A reply that repeats its prefill (C05)."""

import pytest

from megallm.messages.events import Reply, Usage
from megallm.messages.native.repeated_prefill import without_prefill
from megallm.messages.requests import Message

ASKED = Message.model_validate({"role": "user", "content": "Capital of France?"})


def text(words: str) -> dict[str, object]:
    return {"type": "text", "text": words}


@pytest.mark.parametrize(
    ("last", "said", "shown"),
    [
        ("It is", ["It is Paris.", "Really."], [" Paris.", "Really."]),
        ([text("It "), text("is")], ["It is Paris."], [" Paris."]),
        ("It is", ["Paris."], ["Paris."]),
        ("It is", [], []),
        ([{"type": "tool_use", "id": "t", "name": "f", "input": {}}], ["Paris."], ["Paris."]),
    ],
)
def test_what_the_assistant_had_said_is_not_said_again(last: object, said: list[str], shown: list[str]) -> None:
    """And nothing else goes."""
    prefill = Message.model_validate({"role": "assistant", "content": last})
    reply = Reply(tuple(map(text, said)), "end_turn", Usage())

    assert without_prefill(reply, [ASKED, prefill]).content == tuple(map(text, shown))


def test_a_reply_to_a_user_may_say_what_it_likes() -> None:
    """There is no prefill."""
    reply = Reply((text("Capital of France? Paris."),), "end_turn", Usage())

    assert without_prefill(reply, [ASKED]) == reply

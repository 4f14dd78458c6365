"""Turns are merged, and tool calls must pair with their results."""

from typing import Any

import pytest

from megallm.errors import InvalidRequest
from megallm.messages.blocks import TextBlock
from megallm.messages.conversation import Turn, check_tool_pairs, turns
from megallm.messages.requests import Message

TEXT: dict[str, object] = {"type": "text", "text": "x"}
THOUGHT: dict[str, object] = {"type": "thinking", "thinking": "hm", "signature": "s"}
IMAGE: dict[str, object] = {"type": "image", "source": {"type": "url", "url": "https://a.invalid/x.png"}}


def text(value: str) -> TextBlock:
    return TextBlock(text=value)


def assistant(*ids: str) -> dict[str, Any]:
    return {"role": "assistant", "content": [{"type": "tool_use", "id": i, "name": "f", "input": {}} for i in ids]}


def results(*ids: str) -> dict[str, Any]:
    return {"role": "user", "content": [{"type": "tool_result", "tool_use_id": i, "content": "ok"} for i in ids]}


def said(role: str, content: str = "x") -> dict[str, object]:
    return {"role": role, "content": content}


def conversation(*messages: dict[str, object]) -> list[Message]:
    return [Message.model_validate(message) for message in messages]


def test_consecutive_messages_of_one_role_are_one_turn() -> None:
    """C05."""
    merged = turns(conversation(said("user", "a"), said("user", "b"), said("assistant", "c"), said("user", "d")))

    assert merged == [
        Turn("user", (text("a"), text("b"))),
        Turn("assistant", (text("c"),)),
        Turn("user", (text("d"),)),
    ]


def test_a_system_message_keeps_its_place() -> None:
    """C06."""
    merged = turns(conversation(said("user", "a"), said("system", "b"), said("user", "c")))

    assert merged == [Turn("user", (text("a"),)), Turn("system", (text("b"),)), Turn("user", (text("c"),))]


@pytest.mark.parametrize(
    "messages",
    [
        (said("user"), assistant("a", "b"), results("b", "a"), said("assistant")),
        (said("user"), assistant("a"), results("a"), assistant("b"), results("b")),
        (said("user"), assistant("a"), assistant("b"), results("a"), results("b")),
        (said("user"), assistant("a"), said("system"), results("a")),
        (
            said("user"),
            {"role": "assistant", "content": [TEXT, THOUGHT, *assistant("a")["content"]]},
            {"role": "user", "content": [*results("a")["content"], IMAGE, TEXT]},
        ),
        (said("user"), assistant("a"), results("a"), assistant("a"), results("a")),
        (
            said("user"),
            {"role": "assistant", "content": [{"type": "browser_click_tool_use", "id": "x", "name": "click"}]},
            results("x"),
        ),
    ],
)
def test_paired_calls_and_results_pass(messages: tuple[dict[str, object], ...]) -> None:
    """Split over messages, with a system message between, in another order, of an opaque tool's call."""
    check_tool_pairs(conversation(*messages))


def test_an_error_names_ten_ids_and_counts_the_rest() -> None:
    """Fifty thousand open calls are not a page of ids; a long id is cut."""
    with pytest.raises(InvalidRequest) as caught:
        check_tool_pairs(conversation(said("user"), assistant("x" * 1000, *(str(number) for number in range(49)))))

    assert caught.value.message == (
        "messages.1: tool_use ids without a tool_result block in the next message: "
        f"{'x' * 100}…, 0, 1, 2, 3, 4, 5, 6, 7, 8 and 40 more"
    )


@pytest.mark.parametrize(
    ("messages", "param", "named"),
    [
        ((said("user"), results("a")), "messages.1.content.0.tool_use_id", "'a'"),
        ((said("user"), assistant("a")), "messages.1.content", "a"),
        ((said("user"), assistant("a"), said("user")), "messages.1.content", "a"),
        ((said("user"), assistant("a", "b"), results("a"), said("assistant")), "messages.1.content", "b"),
        ((said("user"), assistant("a"), results("a", "a")), "messages.2.content.1.tool_use_id", "'a'"),
        (
            (said("user"), assistant("a"), results("a"), said("assistant"), results("a")),
            "messages.4.content.0.tool_use_id",
            "'a'",
        ),
        ((said("user"), assistant("a", "a"), results("a")), "messages.1.content.1.id", "'a'"),
    ],
)
def test_an_unpaired_call_or_result_is_named(messages: tuple[dict[str, object], ...], param: str, named: str) -> None:
    """The id and the message's index (C07)."""
    with pytest.raises(InvalidRequest) as caught:
        check_tool_pairs(conversation(*messages))

    assert caught.value.param == param
    assert named in caught.value.message

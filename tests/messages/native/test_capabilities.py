"""What models cannot do that their upstream can: done otherwise, and told."""

from typing import Any

import pytest
from pydantic_core import from_json

from megallm.errors import InvalidRequest
from megallm.messages.native.capabilities import GO_ON

from .bodies import body_of, changes, request, table

TOOL = {"name": "n", "input_schema": {}}
USER = {"role": "user", "content": "Hi"}
SYSTEM = {"role": "system", "content": "Be brief."}
TOLD = {"type": "text", "text": "<system>\nBe brief.\n</system>"}


def adapted(feature: dict[str, bool], **fields: object) -> tuple[dict[str, Any], list[tuple[str, str]]]:
    got = body_of(request(**fields), takes=table(features=feature))
    return from_json(got.body), changes(got)


def untouched(feature: dict[str, bool], **fields: object) -> bool:
    return adapted(feature, **fields) == (from_json(request(**fields)), [])


@pytest.mark.parametrize("choice", [{"type": "any"}, {"type": "tool", "name": "n"}])
def test_a_model_that_cannot_be_forced_may_choose(choice: dict[str, object]) -> None:
    """Whether in parallel stays as it was."""
    choice = {**choice, "disable_parallel_tool_use": True}

    payload, told = adapted({"forced_tools": False}, tools=[TOOL], tool_choice=choice)

    assert payload["tool_choice"] == {"type": "auto", "disable_parallel_tool_use": True}
    assert told == [("tool_choice", "auto")]
    assert untouched({"forced_tools": True}, tools=[TOOL], tool_choice=choice)
    assert untouched({"forced_tools": False}, tools=[TOOL], tool_choice={"type": "auto"})
    assert untouched({"forced_tools": False})


def test_of_two_samplers_one_goes() -> None:
    """Where the model refuses both together, and the table has not dropped one already."""
    only_one = {"temperature_or_top_p": True}
    payload, told = adapted(only_one, temperature=0.5, top_p=0.9)

    assert (payload, told) == (from_json(request(temperature=0.5)), [("top_p", "dropped")])
    assert untouched(only_one, top_p=0.9)
    takes = table(features=only_one, fields={"temperature": "drop"})
    assert changes(body_of(request(temperature=0.5, top_p=0.9), takes=takes)) == [("temperature", "dropped")]


def test_thinking_within_a_budget_becomes_adaptive() -> None:
    """Newer models know no other."""
    thinking = {"type": "enabled", "budget_tokens": 2048, "display": "omitted"}

    payload, told = adapted({"thinking_budgets": False}, thinking=thinking)

    assert (payload["thinking"], told) == ({"type": "adaptive", "display": "omitted"}, [("thinking", "adaptive")])
    assert untouched({"thinking_budgets": False}, thinking={"type": "disabled"})
    assert untouched({}, thinking=thinking)


def test_a_prefill_is_asked_for_in_words_where_there_is_none() -> None:
    """C05, loudly."""
    messages = [USER, {"role": "assistant", "content": "The sky is "}]

    payload, told = adapted({"prefill": False, "prefill_space": False}, messages=messages)

    assert payload["messages"] == [*messages, {"role": "user", "content": GO_ON}]
    assert told == [("messages.1", "continued by instruction")]


PARTS = [{"type": "text", "text": "The"}, {"type": "text", "text": "sky \n"}]


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ("The sky \n", [{"role": "assistant", "content": "The sky"}]),
        (PARTS, [{"role": "assistant", "content": [PARTS[0], {"type": "text", "text": "sky"}]}]),
        ([PARTS[0], {"type": "text", "text": " "}], [{"role": "assistant", "content": [PARTS[0]]}]),
        ([{"type": "text", "text": " "}], []),
        (" ", []),
    ],
)
def test_a_prefill_that_ends_in_white_space_works(content: object, expected: list[object]) -> None:
    """C46; the upstream would refuse it."""
    payload, told = adapted({"prefill_space": False}, messages=[USER, {"role": "assistant", "content": content}])

    assert (payload["messages"], told) == ([USER, *expected], [("messages.1.content", "trimmed")])


@pytest.mark.parametrize(
    "content",
    [
        "The sky",
        [{"type": "server_tool_use", "id": "s", "name": "web_search", "input": {}}],
        [{"type": "server_tool_use", "id": "s", "name": "web_search", "input": {}}, {"type": "text", "text": "a "}],
        [{"type": "thinking", "thinking": "t ", "signature": "s"}],
        [],
    ],
)
def test_other_ends_of_a_conversation_stay(content: object) -> None:
    """A prefill without white space, a turn that the upstream paused."""
    assert untouched({"prefill_space": False}, messages=[USER, {"role": "assistant", "content": content}])


def test_a_model_that_can_all_gets_all_as_it_came() -> None:
    """A table without features."""
    assert untouched({}, messages=[USER, {"role": "assistant", "content": "The sky "}])


def test_a_paused_turn_is_no_prefill() -> None:
    """It goes back as it came, and the upstream goes on with it."""
    paused = [{"type": "server_tool_use", "id": "s", "name": "web_search", "input": {}}]

    assert untouched({"prefill": False}, messages=[USER, {"role": "assistant", "content": paused}])


@pytest.mark.parametrize(
    ("system", "expected"),
    [
        ({}, [{"type": "text", "text": "Be brief."}]),
        ({"system": ""}, [{"type": "text", "text": "Be brief."}]),
        ({"system": "Be kind."}, [{"type": "text", "text": "Be kind."}, {"type": "text", "text": "Be brief."}]),
        (
            {"system": [{"type": "text", "text": "Be kind.", "x": 1}]},
            [{"type": "text", "text": "Be kind.", "x": 1}, {"type": "text", "text": "Be brief."}],
        ),
    ],
)
def test_system_turns_in_front_join_the_system_prompt(system: dict[str, object], expected: list[object]) -> None:
    """Which means the same."""
    payload, told = adapted({"system_turns": False}, messages=[SYSTEM, USER], **system)

    assert (payload["system"], payload["messages"], told) == (expected, [USER], [])


def test_later_system_turns_keep_their_place() -> None:
    """Before the user's next words, behind results of tools; else as a turn of his (C06)."""
    call = {"role": "assistant", "content": [{"type": "tool_use", "id": "t", "name": "n", "input": {}}]}
    given = {"type": "tool_result", "tool_use_id": "t", "content": "4"}
    result = {"role": "user", "content": [given, {"type": "text", "text": "So?"}]}
    parts = {"role": "user", "content": [{"type": "text", "text": "Hi"}]}
    answer = {"role": "assistant", "content": "4"}
    blocks = {"role": "system", "content": [{"type": "text", "text": "Be"}, {"type": "text", "text": "kind."}]}

    payload, told = adapted(
        {"system_turns": False},
        messages=[USER, call, SYSTEM, result, SYSTEM, answer, SYSTEM, blocks, USER, SYSTEM, parts, SYSTEM],
    )

    kind = {"type": "text", "text": "<system>\nBe\nkind.\n</system>"}
    turn = {"role": "user", "content": [TOLD]}
    assert payload["messages"] == [
        USER,
        call,
        {"role": "user", "content": [given, TOLD, {"type": "text", "text": "So?"}]},
        turn,
        answer,
        {"role": "user", "content": [TOLD, kind, {"type": "text", "text": "Hi"}]},
        {"role": "user", "content": [TOLD, {"type": "text", "text": "Hi"}]},
        turn,
    ]
    assert told == [(f"messages.{at}", "user turn") for at in (2, 4, 6, 7, 9, 11)]


IMAGE = {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "AA=="}}
LOOK = {"role": "system", "content": [IMAGE, {"type": "text", "text": "Look:"}]}
SHOWN = [{"type": "text", "text": "<system>\nLook:\n</system>"}, IMAGE]


@pytest.mark.parametrize("before", [[], [USER]])
def test_a_system_turn_that_shows_something_is_the_users_even_in_front(before: list[object]) -> None:
    """A system prompt has no room for an image; only what is in front of it is one."""
    payload, told = adapted({"system_turns": False}, messages=[SYSTEM, *before, LOOK, USER])

    at = len(before) + 1
    assert (payload["system"], payload["messages"]) == (
        [{"type": "text", "text": "Be brief."}],
        [*before, {"role": "user", "content": [*SHOWN, {"type": "text", "text": "Hi"}]}],
    )
    assert told == [(f"messages.{at}", "user turn")]


def test_what_the_table_drops_does_not_come_back_with_a_system_turn() -> None:
    """Nor with the system prompt; the words stay."""
    takes = table(features={"system_turns": False}, blocks={"image": "drop", "news": "drop"})
    prompt = {"role": "system", "content": [{"type": "text", "text": "Be brief."}]}

    got = body_of(request(messages=[prompt, LOOK, USER]), takes=takes)

    payload = from_json(got.body)
    assert (payload["system"], payload["messages"]) == (
        prompt["content"],
        [{"role": "user", "content": [SHOWN[0], {"type": "text", "text": "Hi"}]}],
    )
    assert changes(got) == [("messages.1.content.0", "dropped"), ("messages.1", "user turn")]


def test_a_conversation_without_system_turns_stays() -> None:
    """With a system prompt or without."""
    assert untouched({"system_turns": False})
    assert untouched({"system_turns": False}, system=[{"type": "text", "text": "Be kind."}])


@pytest.mark.parametrize(
    "messages", [[SYSTEM], [{"role": "assistant", "content": " "}], [SYSTEM, {"role": "assistant", "content": " "}]]
)
def test_a_conversation_of_which_nothing_stays_is_refused(messages: list[object]) -> None:
    """By name; the upstream would know no better words."""
    with pytest.raises(InvalidRequest) as caught:
        adapted({"system_turns": False, "prefill_space": False}, messages=messages)

    assert caught.value.param == "messages"

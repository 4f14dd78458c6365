"""Thinking: how much, and an earlier reply's on its way back (C15)."""

from typing import Any

import pytest

from .asking import ROUTE, SIGNER, WEATHER, adapted, dropped, wire_of

ENABLED: dict[str, object] = {"type": "enabled", "budget_tokens": 5000}
KNOWN = {"model", "messages", "max_tokens", "max_completion_tokens", "tools", "tool_choice"}


def about_thinking(**fields: Any) -> tuple[dict[str, object], list[tuple[str, str]]]:
    """The body's fields about thinking, and the adaptations."""
    wire = wire_of(**fields)
    return {name: value for name, value in wire.body.items() if name not in KNOWN}, adapted(wire)


@pytest.mark.parametrize("table", ["openai", "vllm", "ollama", "deepseek"])
def test_who_says_nothing_gets_what_the_model_does_by_itself(table: str) -> None:
    """The same goes for who leaves it to the model."""
    assert about_thinking(table=table) == ({}, [])
    assert about_thinking(table=table, thinking={"type": "adaptive"}) == ({}, [])


@pytest.mark.parametrize("table", ["openai", "vllm", "ollama", "deepseek"])
def test_a_kind_of_thinking_that_no_server_knows_is_named(table: str) -> None:
    """C04: the model does what it does by itself, which is not what was asked for."""
    for kind in ("between_tools", "of_tomorrow"):
        asked = {"type": kind, "budget_tokens": 5000, "display": "omitted"}

        assert about_thinking(table=table, thinking=asked) == ({}, [("thinking", "dropped")])


@pytest.mark.parametrize(
    ("table", "fields", "adaptations"),
    [
        ("openai", {"reasoning_effort": "medium"}, [("thinking.budget_tokens", "reasoning_effort medium")]),
        ("ollama", {"reasoning_effort": "medium"}, [("thinking.budget_tokens", "reasoning_effort medium")]),
        (
            "deepseek",
            {"thinking": {"type": "enabled"}, "reasoning_effort": "high"},
            [("thinking.budget_tokens", "reasoning_effort high")],
        ),
        (
            "vllm",
            {"chat_template_kwargs": {"enable_thinking": True}, "reasoning_effort": "medium"},
            [("thinking.budget_tokens", "reasoning_effort medium")],
        ),
        (None, {}, [("thinking", "dropped")]),
    ],
)
def test_thinking_is_switched_on_as_the_server_wants_it(
    table: str | None, fields: dict[str, object], adaptations: list[tuple[str, str]]
) -> None:
    """A budget becomes an effort, and that is told."""
    assert about_thinking(table=table, thinking=ENABLED) == (fields, adaptations)


@pytest.mark.parametrize(
    ("table", "fields", "adaptations"),
    [
        ("openai", {"reasoning_effort": "low"}, [("thinking", "reasoning_effort low")]),
        ("ollama", {"reasoning_effort": "none"}, []),
        ("deepseek", {"thinking": {"type": "disabled"}}, []),
        ("vllm", {"chat_template_kwargs": {"enable_thinking": False}}, []),
        (None, {}, []),
    ],
)
def test_thinking_is_switched_off_as_far_as_the_server_can(
    table: str | None, fields: dict[str, object], adaptations: list[tuple[str, str]]
) -> None:
    """Where the least effort is not none, that is told."""
    assert about_thinking(table=table, thinking={"type": "disabled"}) == (fields, adaptations)


def test_what_a_table_says_of_budgets_and_switches_holds() -> None:
    """A budget that the server takes itself, one that nobody takes, a keyword of another name, no efforts at all."""
    features = {"features": {"efforts": ""}}
    renamed = {
        "fields": {"thinking.budget_tokens": "-> thinking_token_budget"},
        "features": {"thinking_kwarg": "think"},
    }

    assert about_thinking(table="vllm", thinking=ENABLED, takes=renamed) == (
        {"chat_template_kwargs": {"think": True}, "thinking_token_budget": 5000},
        [],
    )
    assert about_thinking(table="vllm", thinking=ENABLED, takes=features) == (
        {"chat_template_kwargs": {"enable_thinking": True}},
        [("thinking.budget_tokens", "dropped")],
    )
    assert about_thinking(thinking={"type": "disabled"}, takes=features) == ({}, [("thinking", "dropped")])
    assert about_thinking(thinking=ENABLED, takes={"fields": {"thinking": "drop"}}) == ({}, [("thinking", "dropped")])


def test_effort_is_passed_or_the_nearest_one_told() -> None:
    """C04."""
    assert about_thinking(output_config={"effort": "high"}) == ({"reasoning_effort": "high"}, [])
    assert about_thinking(output_config={"effort": "max"}) == (
        {"reasoning_effort": "high"},
        [("output_config.effort", "high")],
    )
    assert about_thinking(output_config={"effort": "huge"}) == ({}, [("output_config.effort", "dropped")])
    assert about_thinking(table=None, output_config={"effort": "low"}) == ({}, [("output_config.effort", "dropped")])
    assert about_thinking(output_config={"effort": "low"}, takes={"fields": {"output_config.effort": "drop"}}) == (
        {},
        [("output_config.effort", "dropped")],
    )


def test_an_effort_beside_a_budget_or_without_thinking() -> None:
    """The effort is the more exact of the two, and nothing where there is no thinking."""
    assert about_thinking(thinking=ENABLED, output_config={"effort": "low"}) == (
        {"reasoning_effort": "low"},
        [("thinking.budget_tokens", "dropped")],
    )
    assert about_thinking(table="ollama", thinking={"type": "disabled"}, output_config={"effort": "high"}) == (
        {"reasoning_effort": "none"},
        [("output_config.effort", "dropped")],
    )


def test_how_thinking_is_to_be_shown_cannot_be_told() -> None:
    """C04."""
    thinking = {"type": "adaptive", "display": "omitted", "other": None}

    assert about_thinking(table="vllm", thinking=thinking) == ({}, [("thinking.display", "dropped")])


@pytest.mark.parametrize(
    ("thinking", "adaptations"),
    [(None, []), ({"type": "adaptive"}, []), (ENABLED, [("thinking", "dropped")])],
)
def test_a_forced_tool_comes_without_thinking_where_both_do_not_go(
    thinking: dict[str, object] | None, adaptations: list[tuple[str, str]]
) -> None:
    """DeepSeek answers the two with a 400."""
    fields: dict[str, Any] = {"tools": [WEATHER], "tool_choice": {"type": "any"}, "thinking": thinking}

    assert about_thinking(table="deepseek", **fields) == ({"thinking": {"type": "disabled"}}, adaptations)
    assert about_thinking(table="openai", tools=[WEATHER], tool_choice={"type": "any"}) == ({}, [])


def test_a_prefill_comes_without_thinking_in_llama_cpp() -> None:
    """It answers the two with a 400."""
    conversation = [{"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}]

    assert about_thinking(content=conversation, table="llama.cpp") == (
        {"chat_template_kwargs": {"enable_thinking": False}},
        [],
    )
    assert about_thinking(content=conversation, table="llama.cpp", thinking=ENABLED) == (
        {"chat_template_kwargs": {"enable_thinking": False}},
        [("thinking", "dropped")],
    )


OURS = {"type": "thinking", "thinking": "hm", "signature": SIGNER.sign(ROUTE, "hm")}
OTHERS = {"type": "thinking", "thinking": "hm", "signature": SIGNER.sign("other/m", "hm")}
FOREIGN = {"type": "thinking", "thinking": "hm", "signature": "ErcB"}
REDACTED = {"type": "redacted_thinking", "data": "x"}
CALL = {"type": "tool_use", "id": "t", "name": "f", "input": {}}


def replayed(*blocks: object, table: str = "deepseek") -> tuple[dict[str, object], tuple[object, ...]]:
    """The assistant's message, and the adaptations."""
    wire = wire_of(
        [
            {"role": "user", "content": "a"},
            {"role": "assistant", "content": list(blocks)},
            {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "t"}]},
        ],
        table=table,
    )
    return wire.messages[1], wire.adaptations


@pytest.mark.parametrize(
    ("table", "field"), [("deepseek", "reasoning_content"), ("llama.cpp", "reasoning_content"), ("vllm", "reasoning")]
)
def test_thinking_of_this_route_goes_back_as_the_server_wants_it(table: str, field: str) -> None:
    """C15."""
    more = {"type": "thinking", "thinking": "ha", "signature": SIGNER.sign(ROUTE, "ha")}

    assert replayed(OURS, more, {"type": "text", "text": "b"}, table=table) == (
        {"role": "assistant", "content": "b", field: "hm\nha"},
        (),
    )


def test_a_server_that_wants_none_back_gets_none() -> None:
    """C15, and C04: what the caller sent has gone."""
    assert replayed(OURS, {"type": "text", "text": "b"}, table="openai") == (
        {"role": "assistant", "content": "b"},
        dropped("messages.1.content.0"),
    )


def test_other_thinking_is_dropped() -> None:
    """C15: another route's, one that we did not sign, and what nobody can read."""
    message, adaptations = replayed(OTHERS, FOREIGN, REDACTED, {"type": "text", "text": "b"})

    assert message == {"role": "assistant", "content": "b"}
    assert adaptations == dropped(*(f"messages.1.content.{position}" for position in range(3)))


def test_a_call_without_its_thinking_gets_an_empty_one_where_it_must_have_one() -> None:
    """DeepSeek answers its absence with a 400."""
    message, _ = replayed(OTHERS, CALL)
    elsewhere, _ = replayed(OTHERS, CALL, table="llama.cpp")

    assert (message["reasoning_content"], message["content"]) == ("", None)
    assert "reasoning_content" not in elsewhere


def test_thinking_before_a_prefill_is_dropped() -> None:
    """No server takes it in an open turn."""
    wire = wire_of(
        [{"role": "user", "content": "a"}, {"role": "assistant", "content": [OURS, {"type": "text", "text": "b"}]}],
        table="vllm",
    )

    assert wire.messages[1] == {"role": "assistant", "content": "b"}
    assert adapted(wire) == [("messages.1.content", "thinking dropped")]

"""Tools and the choice among them (C19 to C21)."""

from typing import Any

import pytest

from megallm.errors import InvalidRequest

from .asking import WEATHER, WEATHER_FUNCTION, adapted, dropped, wire_of

REST: dict[str, object] = {"name": "rest", "input_schema": {"type": "object"}}
REST_FUNCTION = {"type": "function", "function": {"name": "rest", "parameters": {"type": "object"}}}


def test_tools_are_functions_with_their_schemas_as_they_are() -> None:
    """C21: cache_control goes from the tool, and stays where a schema has a property of that name."""
    schema = {"type": "object", "properties": {"cache_control": {"type": "string"}}, "cache_control": {"x": 1}}
    tool = {"type": "custom", "name": "cache", "input_schema": schema, "cache_control": {"type": "ephemeral"}}

    wire = wire_of(tools=[WEATHER, tool])

    assert wire.body["tools"] == [
        WEATHER_FUNCTION,
        {"type": "function", "function": {"name": "cache", "parameters": schema}},
    ]
    assert wire.adaptations == dropped("cache_control")


@pytest.mark.parametrize(
    ("choice", "fields"),
    [
        ({"type": "auto"}, {}),
        ({"type": "any"}, {"tool_choice": "required"}),
        ({"type": "none"}, {"tool_choice": "none"}),
        ({"type": "tool", "name": "rest"}, {"tool_choice": {"type": "function", "function": {"name": "rest"}}}),
        ({"type": "auto", "disable_parallel_tool_use": True}, {"parallel_tool_calls": False}),
        ({"type": "any", "disable_parallel_tool_use": True}, {"tool_choice": "required", "parallel_tool_calls": False}),
    ],
)
def test_choices_map_one_to_one(choice: dict[str, object], fields: dict[str, object]) -> None:
    """C19; auto is what servers do by themselves."""
    wire = wire_of(tools=[WEATHER, REST], tool_choice=choice)

    assert wire.body == {
        "model": "m-1",
        "messages": [{"role": "user", "content": "Hello"}],
        "max_completion_tokens": 40,
        "tools": [WEATHER_FUNCTION, REST_FUNCTION],
        **fields,
    }
    assert wire.adaptations == ()


def test_without_tools_nothing_is_said_of_them() -> None:
    """OpenAI refuses a tool_choice without tools."""
    body = {"model": "m-1", "messages": [{"role": "user", "content": "Hello"}], "max_completion_tokens": 40}

    for choice in ({"type": "auto", "disable_parallel_tool_use": True}, {"type": "none"}, None):
        assert wire_of(tools=[], tool_choice=choice).body == body


def test_a_server_that_knows_no_choice_gets_the_nearest_thing() -> None:
    """Where there is none, it is told (C04): one tool alone, none at all, and nothing for any."""
    tools = [WEATHER, REST]
    one, none, any_ = (
        wire_of(tools=tools, tool_choice=choice, table="ollama")
        for choice in ({"type": "tool", "name": "rest"}, {"type": "none"}, {"type": "any"})
    )

    assert (one.body["tools"], adapted(one)) == ([REST_FUNCTION], [("tool_choice", "dropped")])
    assert ("tools" in none.body, none.adaptations) == (False, ())
    assert (any_.body["tools"], adapted(any_)) == ([WEATHER_FUNCTION, REST_FUNCTION], [("tool_choice", "dropped")])
    assert "tool_choice" not in one.body | none.body | any_.body


def test_parallel_calls_that_cannot_be_switched_off_are_told() -> None:
    """C04."""
    wire = wire_of(tools=[REST], tool_choice={"type": "auto", "disable_parallel_tool_use": True}, table="ollama")

    assert wire.adaptations == dropped("tool_choice.disable_parallel_tool_use")
    assert "parallel_tool_calls" not in wire.body


def test_further_fields_of_a_tool_pass_or_are_listed() -> None:
    """``strict`` is chat completions' own; false and null ask for nothing."""
    further = {"strict": True, "defer_loading": False, "input_examples": [{}], "eager_input_streaming": True}

    passed = wire_of(tools=[WEATHER, REST | further])
    lost = wire_of(tools=[REST | further], table="ollama")

    function = {"name": "rest", "parameters": {"type": "object"}, "strict": True}
    assert passed.body["tools"] == [WEATHER_FUNCTION, {"type": "function", "function": function}]
    assert passed.adaptations == dropped("tools.1.input_examples")
    assert lost.adaptations == dropped("tools.0.strict", "tools.0.input_examples")


def test_a_built_in_tool_may_be_dropped_by_the_table() -> None:
    """The others stay."""
    tools = [{"type": "web_search_20260318", "name": "web_search"}, REST]

    wire = wire_of(tools=tools, takes={"blocks": {"tool.web_search_*": "drop"}})

    assert (wire.body["tools"], wire.adaptations) == ([REST_FUNCTION], dropped("tools.0"))


def test_a_rule_may_give_the_choice_another_name_or_refuse_it() -> None:
    """Whatever a server calls it."""
    renamed = wire_of(
        tools=[REST], tool_choice={"type": "none"}, takes={"fields": {"tool_choice": "-> function_choice"}}
    )

    assert renamed.body["function_choice"] == "none"
    with pytest.raises(InvalidRequest, match="does not take this field"):
        wire_of(tools=[REST], tool_choice={"type": "none"}, takes={"fields": {"tool_choice": "refuse"}})


@pytest.mark.parametrize(
    ("fields", "param", "message"),
    [
        (
            {"tools": [{"type": "bash_20250124", "name": "bash"}]},
            "tools.0.type",
            "m-1 has no tool of type 'bash_20250124'",
        ),
        ({"tool_choice": {"type": "any"}}, "tool_choice", "no tools to choose from"),
        ({"tool_choice": {"type": "tool", "name": "x"}}, "tool_choice", "no tools to choose from"),
        ({"tools": [REST], "tool_choice": {"type": "tool", "name": "x"}}, "tool_choice.name", "there is no tool 'x'"),
        ({"tools": [REST, REST]}, "tools.1.name", "tool names must be unique"),
    ],
)
def test_what_cannot_be_honoured_is_refused_by_name(fields: dict[str, Any], param: str, message: str) -> None:
    """C04."""
    with pytest.raises(InvalidRequest, match=message) as caught:
        wire_of(**fields)

    assert caught.value.param == param


def test_names_are_shortened_wherever_they_appear() -> None:
    """C20: tools, the choice, earlier calls; and the way back."""
    name = "files/" + "read" * 20
    used = {"type": "tool_use", "id": "t1", "name": name, "input": {}}
    gone = {"type": "tool_use", "id": "t2", "name": "gone tool", "input": {}}

    wire = wire_of(
        [
            {"role": "user", "content": "a"},
            {"role": "assistant", "content": [used, gone]},
            {"role": "user", "content": [{"type": "tool_result", "tool_use_id": id_} for id_ in ("t1", "t2")]},
        ],
        tools=[REST | {"name": name}, REST],
        tool_choice={"type": "tool", "name": name},
    )

    (sent, other) = (tool["function"]["name"] for tool in wire.body["tools"])  # type: ignore[attr-defined]
    called, gone_called = (call["function"]["name"] for call in wire.messages[1]["tool_calls"])  # type: ignore[attr-defined]
    assert wire.tool_names == {sent: name, gone_called: "gone tool"}
    assert (called, other) == (sent, "rest")
    assert wire.body["tool_choice"] == {"type": "function", "function": {"name": sent}}

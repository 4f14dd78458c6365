"""Tools on their way to Converse: their names, their fields, and the choice among them."""

import pytest

from megallm.messages.calls import Adaptation
from megallm.providers.bedrock.converse.names import Names
from megallm.providers.bedrock.converse.tools import NO_CALLS

from .asking import CALL_TURNS, WEATHER, call_of
from .converse_asking import WEATHER_SPEC, body_of, wire_of


def test_names_and_ids_that_converse_refuses_are_shortened_everywhere() -> None:
    """And mapped back in the reply (C20)."""
    long = "x" * 70
    tool = {"name": long, "input_schema": {}}
    turns = [
        {"role": "user", "content": "Hi"},
        {"role": "assistant", "content": [{"type": "tool_use", "id": "a/b", "name": long, "input": {}}]},
        {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "a/b", "content": "ok"}]},
    ]
    takes = {"fields": {"tool_choice.tool": "pass"}}

    wire = wire_of(call_of(turns, tools=[tool], tool_choice={"type": "tool", "name": long}, takes=takes))

    short = Names().tool(long)
    ((sent, original),) = wire.tool_names.items()
    assert (sent, original, len(sent)) == (short, long, 64)
    body = body_of(wire)
    assert body["toolConfig"] == {
        "tools": [{"toolSpec": {"name": short, "inputSchema": {"json": {"type": "object"}}}}],
        "toolChoice": {"tool": {"name": short}},
    }
    call, result = body["messages"][1:]  # type: ignore[index]  # a list
    assert call["content"][0]["toolUse"]["name"] == short
    identifier = call["content"][0]["toolUse"]["toolUseId"]
    assert identifier.startswith("toolu_")
    assert result["content"][0]["toolResult"]["toolUseId"] == identifier


def test_fields_of_tools() -> None:
    """What the model does not know is left out aloud."""
    tool = {**WEATHER, "cache_control": {"type": "ephemeral"}, "strict": True, "defer_loading": True, "off": False}

    wire = wire_of(call_of(tools=[tool], tool_choice={"type": "auto", "disable_parallel_tool_use": True}))
    passed = wire_of(call_of(tools=[tool], takes={"fields": {"tools.strict": "pass"}}))

    assert body_of(wire)["toolConfig"] == {"tools": [WEATHER_SPEC]}
    assert wire.adaptations == (
        Adaptation("tools.0.strict", "dropped"),
        Adaptation("tools.0.defer_loading", "dropped"),
        Adaptation("tool_choice.disable_parallel_tool_use", "dropped"),
        Adaptation("cache_control", "dropped"),
    )
    assert body_of(passed)["toolConfig"] == {"tools": [{"toolSpec": {**WEATHER_SPEC["toolSpec"], "strict": True}}]}


@pytest.mark.parametrize(
    ("choice", "wanted"),
    [
        ({"type": "any"}, {"any": {}}),
        ({"type": "tool", "name": "get_weather"}, {"tool": {"name": "get_weather"}}),
    ],
)
def test_a_forced_call_is_forced_where_the_model_can_be(choice: dict[str, object], wanted: object) -> None:
    """Elsewhere the model may choose, and the response says so."""
    takes = {"fields": {"tool_choice.any": "pass", "tool_choice.tool": "pass"}}

    forced = wire_of(call_of(tools=[WEATHER], tool_choice=choice, takes=takes))
    free = wire_of(call_of(tools=[WEATHER], tool_choice=choice))

    assert body_of(forced)["toolConfig"] == {"tools": [WEATHER_SPEC], "toolChoice": wanted}
    assert body_of(free)["toolConfig"] == {"tools": [WEATHER_SPEC]}
    assert (forced.adaptations, free.adaptations) == ((), (Adaptation("tool_choice", "dropped"),))


def test_with_choice_none_the_tools_are_left_out() -> None:
    """What the model does not know it cannot call."""
    wire = wire_of(call_of(tools=[WEATHER], tool_choice={"type": "none"}))

    assert ("toolConfig" in body_of(wire), wire.adaptations) == (False, ())


@pytest.mark.parametrize(
    ("fields", "adapted", "tools"),
    [
        (
            {"tools": [WEATHER], "tool_choice": {"type": "none"}},
            Adaptation("tool_choice", "by instruction"),
            [WEATHER_SPEC],
        ),
        (
            {},
            Adaptation("tools", "taken from the history"),
            [{"toolSpec": {"name": "get_weather", "inputSchema": {"json": {"type": "object"}}}}],
        ),
    ],
)
def test_a_history_with_calls_needs_tools(fields: dict[str, object], adapted: Adaptation, tools: object) -> None:
    """Converse refuses it without; so the model is told in words not to call."""
    turns = [*CALL_TURNS, {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "t1", "content": "ok"}]}]

    wire = wire_of(call_of(turns, **fields))  # type: ignore[arg-type]  # fields of any type

    body = body_of(wire)
    assert (body["toolConfig"], body["system"]) == ({"tools": tools}, [{"text": NO_CALLS}])
    assert wire.adaptations == (adapted,)

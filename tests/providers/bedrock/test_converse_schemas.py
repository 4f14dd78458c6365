"""Output that must follow a schema, as Converse is asked for it (C24)."""

import pytest
from pydantic_core import from_json

from megallm.errors import InvalidRequest
from megallm.messages.calls import Adaptation
from megallm.messages.requests import JsonSchemaFormat
from megallm.providers.bedrock.converse.tools import NO_CALLS, OUTPUT_TOOL
from megallm.providers.bedrock.converse.wire import repair_body
from megallm.providers.judging import Fault, instruction

from .asking import CALL_TURNS, WEATHER, call_of
from .converse_asking import FORMAT, SCHEMA, WEATHER_SPEC, body_of, wire_of


def test_a_schema_for_the_output_is_a_tool_that_has_to_be_called() -> None:
    """Alone by its name, beside others as one of them; a model that cannot be forced is told."""
    takes = {"fields": {"tool_choice.any": "pass", "tool_choice.tool": "pass"}}
    output = {
        "toolSpec": {
            "name": OUTPUT_TOOL,
            "description": "Gives the reply to the user, in the form that is asked for.",
            "inputSchema": {"json": SCHEMA},
        }
    }

    alone = wire_of(call_of(output_config=FORMAT, takes=takes))
    beside = wire_of(call_of(output_config=FORMAT, tools=[WEATHER], takes=takes))
    told_so = wire_of(call_of(output_config=FORMAT))

    assert body_of(alone)["toolConfig"] == {"tools": [output], "toolChoice": {"tool": {"name": OUTPUT_TOOL}}}
    assert body_of(beside)["toolConfig"] == {"tools": [WEATHER_SPEC, output], "toolChoice": {"any": {}}}
    assert body_of(told_so)["toolConfig"] == {"tools": [output]}
    assert body_of(told_so)["system"] == [{"text": f"Give your reply by calling the tool {OUTPUT_TOOL}."}]
    assert [wire.output_tool for wire in (alone, beside, told_so)] == [True, True, True]
    assert (alone.adaptations, told_so.adaptations) == ((), (Adaptation("output_config.format", "by instruction"),))


@pytest.mark.parametrize("schema", [{"enum": ["a", 1]}, {"const": 1}, {"type": "array"}])
def test_a_schema_of_no_objects_is_told_in_words(schema: dict[str, object]) -> None:
    """A tool's input is an object; the caller's tools stay as they are (C45)."""
    wanted = {"format": {"type": "json_schema", "schema": schema}}
    told = instruction(JsonSchemaFormat.model_validate(wanted["format"]))
    turns = [*CALL_TURNS, {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "t1", "content": "ok"}]}]

    wire = wire_of(call_of(output_config=wanted, tools=[WEATHER]))
    not_called = wire_of(call_of(turns, output_config=wanted, tools=[WEATHER], tool_choice={"type": "none"}))

    assert (body_of(wire)["toolConfig"], body_of(wire)["system"]) == ({"tools": [WEATHER_SPEC]}, [{"text": told}])
    assert body_of(not_called)["system"] == [{"text": f"{told}\n\n{NO_CALLS}"}]
    assert wire.adaptations == (Adaptation("output_config.format", "by instruction"),)
    assert (wire.output_tool, wire.format is not None) == (False, True)


@pytest.mark.parametrize("schema", [{}, {"$ref": "#/$defs/a", "$defs": {"a": {"type": "object"}}}])
def test_a_schema_that_may_mean_objects_is_the_tools(schema: dict[str, object]) -> None:
    """Said to be one."""
    wire = wire_of(call_of(output_config={"format": {"type": "json_schema", "schema": schema}}))

    (tool,) = body_of(wire)["toolConfig"]["tools"]  # type: ignore[index]  # an object
    assert tool["toolSpec"]["inputSchema"] == {"json": {"type": "object", **schema}}


def test_a_schema_has_to_be_one_and_excludes_a_prefill() -> None:
    """The reply is judged by it, unless Converse holds the model to it."""
    bad = {"format": {"type": "json_schema", "schema": {"type": "text"}}}
    turns = [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "{"}]

    with pytest.raises(InvalidRequest) as no_schema:
        wire_of(call_of(output_config=bad))
    with pytest.raises(InvalidRequest) as prefilled:
        wire_of(call_of(turns, output_config=FORMAT))

    assert (no_schema.value.param, prefilled.value.param) == ("output_config.format.schema", "output_config.format")
    assert wire_of(call_of(output_config=bad, takes={"fields": {"output_config.format": "pass"}})).format is None


def test_the_request_that_asks_again_has_the_reply_and_its_fault() -> None:
    """A reply without words is not shown: turns alternate, and blank ones are refused."""
    wire = wire_of(call_of("Hi", output_config=FORMAT))
    asked = body_of(wire)

    shown = from_json(repair_body(wire.body, Fault("{", "No.")))
    not_shown = from_json(repair_body(wire.body, Fault(" ", "No.")))

    assert shown == asked | {
        "messages": [
            {"role": "user", "content": [{"text": "Hi"}]},
            {"role": "assistant", "content": [{"text": "{"}]},
            {"role": "user", "content": [{"text": "No."}]},
        ]
    }
    assert not_shown == asked | {"messages": [{"role": "user", "content": [{"text": "Hi"}, {"text": "No."}]}]}


def test_a_schema_that_the_table_drops_is_dropped_aloud() -> None:
    """Once."""
    wire = wire_of(call_of(output_config=FORMAT, takes={"fields": {"output_config.format": "drop"}}))

    assert ("toolConfig" in body_of(wire), wire.adaptations) == (
        False,
        (Adaptation("output_config.format", "dropped"),),
    )

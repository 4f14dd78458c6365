"""Tools in the translation: how they are told, and the schema that holds the model to a choice or a format."""

from megallm.messages.requests import Tool
from megallm.providers.embedded.tools import any_call_schema, arguments_schema, closed_schema
from megallm.providers.embedded.wire import Constraint

from .asking import SEARCH, WEATHER, told, wire_of


def test_tools_are_listed_after_the_system_prompt() -> None:
    """And a model that may choose is bound by no grammar."""
    wire = wire_of(system="Be brief.", tools=[WEATHER])

    assert told(wire)[0][1].startswith("Be brief.\n\n# Tools\n")
    assert '"name": "get_weather"' in told(wire)[0][1]
    assert (wire.calls, wire.constraint, wire.parallel) == ("chosen", None, True)


def test_with_tool_choice_none_the_tools_are_not_told() -> None:
    """What it does not know it cannot call."""
    wire = wire_of(tools=[WEATHER], tool_choice={"type": "none"})

    assert (told(wire), wire.calls) == ([("user", "Hello")], "none")


def test_a_forced_tool_begins_in_the_prompt() -> None:
    """The model writes the arguments only, under the tool's schema."""
    wire = wire_of(tools=[WEATHER, SEARCH], tool_choice={"type": "tool", "name": "search_web"})

    suffix = "".join(piece.text for piece in wire.prompt.suffix)
    assert suffix == '<tool_call>\n{"name": "search_web", "arguments": '
    assert (wire.calls, wire.primer) == ("forced", '{"name": "search_web", "arguments": ')
    assert wire.constraint == Constraint(arguments_schema(Tool.model_validate(SEARCH)), "tools.1.input_schema")


def test_one_of_several_tools_may_be_forced() -> None:
    """The model chooses which; a fault in the schema of one is told of that one."""
    wire = wire_of(tools=[WEATHER, SEARCH], tool_choice={"type": "any"})

    tools = [Tool.model_validate(WEATHER), Tool.model_validate(SEARCH)]
    parts = tuple(Constraint(arguments_schema(tool), f"tools.{at}.input_schema") for at, tool in enumerate(tools))
    assert wire.constraint == Constraint(any_call_schema(tools), "tools", parts)
    assert (wire.calls, wire.primer, wire.parallel) == ("forced", "", False)


def test_a_format_and_tools_that_may_be_called_are_one_schema() -> None:
    """A reply of the format, or a call."""
    answer = {"type": "object", "properties": {"a": {"type": "string"}}}

    wire = wire_of(tools=[WEATHER], output_config={"format": {"type": "json_schema", "schema": answer}})

    tool = Tool.model_validate(WEATHER)
    parts = (
        Constraint(arguments_schema(tool), "tools.0.input_schema"),
        Constraint(closed_schema(answer), "output_config.format.schema"),
    )
    assert wire.constraint == Constraint(any_call_schema([tool], answer), "output_config.format.schema", parts)


def test_calls_may_be_held_to_one_at_a_time() -> None:
    """C19."""
    choices = [{"type": "auto"}, {"type": "auto", "disable_parallel_tool_use": True}]

    assert [wire_of(tools=[WEATHER], tool_choice=choice).parallel for choice in choices] == [True, False]


def test_references_in_a_tools_schema_move_with_it() -> None:
    """Several tools share one schema, each below a name of its own."""
    schema = {"properties": {"a": {"$ref": "#/$defs/A"}}, "$defs": {"A": {"enum": [1]}}}
    tools = [Tool(name="one", input_schema=schema), Tool(name="two", input_schema={"type": "object"})]

    built = any_call_schema(tools)

    assert built["$defs"]["tool0"] == {
        "type": "object",
        "properties": {"a": {"$ref": "#/$defs/tool0/$defs/A"}},
        "$defs": {"A": {"enum": [1]}},
        "additionalProperties": False,
    }
    assert [choice["properties"]["arguments"] for choice in built["anyOf"]] == [
        {"$ref": "#/$defs/tool0"},
        {"$ref": "#/$defs/tool1"},
    ]


def test_a_tools_schema_loses_its_own_names_beside_others() -> None:
    """They would turn references elsewhere; what pointed to a named part points to its place, and properties stay."""
    schema = {
        "$id": "https://a.invalid/s",
        "properties": {"$id": {"type": "string"}, "a/b": {"$anchor": "A", "enum": [1]}, "c": {"$ref": "#A"}},
    }
    tools = [Tool(name="one", input_schema=schema), Tool(name="two", input_schema={})]

    built = any_call_schema(tools)

    assert built["$defs"]["tool0"] == {
        "type": "object",
        "properties": {
            "$id": {"type": "string"},
            "a/b": {"enum": [1]},
            "c": {"$ref": "#/$defs/tool0/properties/a~1b"},
        },
        "additionalProperties": False,
    }

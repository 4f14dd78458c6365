"""Callers' schemas as a small model is held to them: closed, and with references that still lead somewhere."""

import pytest

from megallm.messages.requests import Tool
from megallm.providers.embedded.tools import any_call_schema, arguments_schema, closed_schema

A = {"type": "object", "properties": {"a": {"type": "string"}}, "required": ["a"]}
A_ALONE = {**A, "additionalProperties": False}


@pytest.mark.parametrize(
    ("schema", "closed"),
    [
        (A, A_ALONE),
        ({"type": "string"}, {"type": "string"}),
        # In every place where a schema may stand.
        ({"properties": {"b": A}}, {"properties": {"b": A_ALONE}, "additionalProperties": False}),
        ({"$defs": {"b": A}, "$ref": "#/$defs/b"}, {"$defs": {"b": A_ALONE}, "$ref": "#/$defs/b"}),
        ({"items": A}, {"items": A_ALONE}),
        ({"prefixItems": [A, True]}, {"prefixItems": [A_ALONE, True]}),
        ({"anyOf": [A, False]}, {"anyOf": [A_ALONE, False]}),
        ({"additionalProperties": A}, {"additionalProperties": A_ALONE}),
        # Where others are wanted: by the schema, or by what it is combined with.
        ({**A, "additionalProperties": True}, {**A, "additionalProperties": True}),
        ({**A, "allOf": [{"properties": {"b": {}}}]}, {**A, "allOf": [{"properties": {"b": {}}}]}),
        ({"properties": {"a": {}}, "required": ["b"]}, {"properties": {"a": {}}, "required": ["b"]}),
        # What is no schema stays as it is, for whoever reads it to refuse.
        ({"properties": [A]}, {"properties": [A]}),
        ({"properties": {}, "required": "a"}, {"properties": {}, "required": "a"}),
        ({"properties": {}, "required": [7]}, {"properties": {}, "required": [7]}),
    ],
)
def test_an_object_that_lists_its_properties_takes_no_others(
    schema: dict[str, object], closed: dict[str, object]
) -> None:
    """So that the model cannot ramble on in it; what fits the narrower schema fits the caller's."""
    assert closed_schema(schema) == closed


def test_arguments_are_always_an_object() -> None:
    """Whatever the tool's schema leaves out."""
    tool = Tool.model_validate({"name": "look", "input_schema": {"properties": {"at": {"enum": [1]}}}})

    assert arguments_schema(tool) == {
        "type": "object",
        "properties": {"at": {"enum": [1]}},
        "additionalProperties": False,
    }


def test_references_lead_to_where_the_schema_stands_now() -> None:
    """By path, by anchor and by name; a literal that looks like one is none."""
    schema = {
        "$id": "house",
        "type": "object",
        "properties": {
            "$id": {"type": "string"},
            "next": {"$ref": "#"},
            "far": {"$ref": "#there"},
            "lost": {"$ref": "other.json"},
            "odd": {"$ref": 7},
            "a/b~": {"$anchor": "there", "const": {"$ref": "#"}},
        },
        "anyOf": [{"$ref": "#/properties/next"}],
    }
    tool = Tool.model_validate({"name": "look", "input_schema": schema})

    made = any_call_schema([tool])["$defs"]["tool0"]

    assert made == {
        "type": "object",
        "properties": {
            "$id": {"type": "string"},
            "next": {"$ref": "#/$defs/tool0"},
            "far": {"$ref": "#/$defs/tool0/properties/a~1b~0"},
            "lost": {"$ref": "other.json"},
            "odd": {"$ref": 7},
            "a/b~": {"const": {"$ref": "#"}},
        },
        "anyOf": [{"$ref": "#/$defs/tool0/properties/next"}],
    }


def test_something_else_may_come_in_place_of_a_call() -> None:
    """A reply of the caller's format, closed too, with its own references."""
    tool = Tool.model_validate({"name": "look", "input_schema": {"type": "object"}})
    reply = {"properties": {"a": {"$ref": "#/$defs/A"}}, "$defs": {"A": A}}

    assert any_call_schema([tool], reply) == {
        "anyOf": [
            {
                "type": "object",
                "properties": {"name": {"const": "look"}, "arguments": {"$ref": "#/$defs/tool0"}},
                "required": ["name", "arguments"],
                "additionalProperties": False,
            },
            {"$ref": "#/$defs/reply"},
        ],
        "$defs": {
            "tool0": {"type": "object"},
            "reply": {
                "properties": {"a": {"$ref": "#/$defs/reply/$defs/A"}},
                "$defs": {"A": A_ALONE},
                "additionalProperties": False,
            },
        },
    }

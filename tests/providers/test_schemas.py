"""Callers' schemas: what is one, and what a text has wrong by it (C24, C45)."""

import jsonschema_rs
import pytest

from megallm.errors import InvalidRequest
from megallm.messages.requests import JsonSchemaFormat
from megallm.providers import schemas
from megallm.providers.schemas import BadSchema, Schema, schema_of

CITY: dict[str, object] = {
    "type": "object",
    "properties": {"city": {"type": "string"}},
    "required": ["city"],
}


def test_enumerations_without_a_type_are_schemas() -> None:
    """C45."""
    schema = Schema({"enum": ["a", 1]})

    assert [schema.fault('"a"'), schema.fault("1"), schema.fault("2")] == [
        None,
        None,
        'the value: 2 is not one of "a" or 1',
    ]


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ('{"city": "Paris"}', None),
        ('{"city": 7}', "['city']: 7 is not of type \"string\""),
        ("{}", 'the value: "city" is a required property'),
        ('{"city": "Pa', "it is not valid JSON: EOF while parsing a string at line 1 column 12"),
        ("Paris", "it is not valid JSON: expected value at line 1 column 1"),
    ],
)
def test_a_fault_says_where_and_what(text: str, fault: str | None) -> None:
    """For the model that is asked once more."""
    assert Schema(CITY).fault(text) == fault


def test_a_hostile_pattern_costs_nothing() -> None:
    """A caller writes the schema and may have the model write the text."""
    schema = Schema({"type": "string", "pattern": "^(?=(a+)+$)b"})

    assert schema.fault(f'"{"a" * 5000}!"') is not None


def test_a_schema_that_is_nested_absurdly_is_no_schema() -> None:
    """And no crash."""
    schema: dict[str, object] = {}
    for _ in range(400):
        schema = {"items": schema}

    with pytest.raises(BadSchema):
        Schema(schema)


def test_a_format_is_refused_by_its_path() -> None:
    """What is no schema, and any beside a prefill."""
    good = JsonSchemaFormat.model_validate({"type": "json_schema", "schema": CITY})
    bad = JsonSchemaFormat.model_validate({"type": "json_schema", "schema": {"type": "text"}})

    assert schema_of(good, prefilled=False).schema == CITY
    with pytest.raises(InvalidRequest) as no_schema:
        schema_of(bad, prefilled=False)
    with pytest.raises(InvalidRequest) as no_prefill:
        schema_of(good, prefilled=True)
    assert (no_schema.value.param, no_prefill.value.param) == ("output_config.format.schema", "output_config.format")


def test_the_library_is_not_let_out_even_by_a_reference_that_was_overlooked() -> None:
    """It would read files and the network by itself."""
    with pytest.raises(ValueError, match="is not part of the schema"):
        jsonschema_rs.validator_for({"$ref": "http://127.0.0.1:9/secret"}, retriever=schemas._nowhere)

"""How far a check of a value against a schema would go."""

import pytest

from megallm.errors import InvalidRequest
from megallm.providers.schema_steps import TooManySteps, check_references, count_steps
from megallm.providers.schemas import BadSchema, Schema

DOUBLING: dict[str, object] = {
    "$defs": {
        "a0": {"type": "string"},
        **{f"a{n}": {"allOf": [{"$ref": f"#/$defs/a{n - 1}"}] * 2} for n in range(1, 60)},
    },
    "$ref": "#/$defs/a59",
}
NESTING: dict[str, object] = {"properties": {"x": {"allOf": [{"$ref": "#"}, {"$ref": "#"}]}}}


def nested(levels: int) -> dict[str, object]:
    value: dict[str, object] = {}
    for _ in range(levels):
        value = {"x": value}
    return value


def test_a_schema_that_doubles_itself_is_given_up() -> None:
    """Sixty lines, and more steps than there is time."""
    with pytest.raises(TooManySteps):
        count_steps(DOUBLING, {})


def test_a_schema_that_doubles_with_each_level_of_the_value_is_given_up() -> None:
    """However small it is: the model was asked for a deep value."""
    assert count_steps(NESTING, nested(3)) < 100
    with pytest.raises(TooManySteps):
        count_steps(NESTING, nested(40))


def test_a_schema_that_refers_to_nothing_but_itself_is_given_up() -> None:
    """It never comes to an end."""
    with pytest.raises(TooManySteps):
        count_steps({"$ref": "#"}, 1)


@pytest.mark.parametrize(
    ("schema", "value", "steps"),
    [
        ({"type": "object"}, {"a": 1}, 1),
        ({"properties": {"a": {}, "b": {}}, "additionalProperties": {}}, {"a": 1, "c": 2}, 4),
        ({"patternProperties": {"^a": {}, "^b": {}}}, {"a": 1, "b": 2}, 5),
        ({"propertyNames": {}, "unevaluatedProperties": False}, {"a": 1}, 3),
        ({"items": {}, "contains": {}}, [1, 2], 5),
        ({"items": [{}, {}, {}], "additionalItems": {}}, [1, 2], 5),
        ({"prefixItems": [{}]}, [1, 2], 2),
        ({"not": {}, "if": {}, "then": {}, "else": {}, "oneOf": [{}, {}], "dependentSchemas": {"a": {}}}, 1, 8),
        ({"$ref": "#/anyOf/1", "anyOf": [{}, {"enum": [1]}]}, 1, 4),
        ({"$ref": "#/nowhere"}, 1, 2),
        ({"$ref": "#/anyOf/7", "anyOf": [{}]}, 1, 3),
        ({"$ref": "#/$defs/a~1b~0c", "$defs": {"a/b~c": {"not": {}}}}, 1, 3),
    ],
)
def test_every_keyword_that_leads_on_is_followed(schema: dict[str, object], value: object, steps: int) -> None:
    """Over all that a library would look at."""
    assert count_steps(schema, value) == steps


@pytest.mark.parametrize("target", ["https://example.com/schema", "file:///etc/passwd", "other.json", "#anchor"])
def test_a_reference_that_leads_elsewhere_is_named(target: str) -> None:
    """Nothing is fetched, and every step can be counted."""
    schema: dict[str, object] = {"items": [{"not": {"$ref": target}}]}

    assert check_references(schema) == target
    with pytest.raises(BadSchema, match="does not lead into the schema"):
        Schema(schema)


def test_a_property_may_be_called_ref() -> None:
    """It is a name there, not a keyword."""
    assert check_references({"properties": {"$ref": {"type": "string"}}, "$ref": "#/$defs/a"}) is None


def test_a_check_of_too_many_steps_is_the_schemas_fault() -> None:
    """It is told, and nobody waits for it."""
    with pytest.raises(InvalidRequest, match="too many steps") as caught:
        Schema(DOUBLING).fault('"x"')

    assert caught.value.param == "output_config.format.schema"

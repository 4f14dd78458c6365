"""Replies that must follow a schema: what servers are told, and how a text is judged (C24, C45)."""

import pytest

from megallm.errors import InvalidRequest
from megallm.messages.calls import Adaptation
from megallm.providers.judging import Fault
from megallm.providers.openai.structured import repair_of
from megallm.providers.openai.structured_schema import is_strict

from .asking import CITY, FORMAT, dropped, wire_of

OPEN_CITY = {"type": "object", "properties": {"city": {"type": "string"}}}
TOLD = (Adaptation("output_config.format", "by instruction"),)
INSTRUCTION = (
    "Your answer must be one JSON value and nothing else: no code fence, no words before or after it. "
    'It must follow this JSON Schema:\n{"type":"object","properties":{"city":{"type":"string"}},'
    '"required":["city"],"additionalProperties":false}'
)


def response_format(schema: dict[str, object], *, strict: bool) -> dict[str, object]:
    return {"type": "json_schema", "json_schema": {"name": "reply", "schema": schema, "strict": strict}}


@pytest.mark.parametrize(
    ("table", "schema", "strict", "enforced"),
    [
        ("openai", CITY, True, True),
        ("openai", OPEN_CITY, False, False),
        ("vllm", OPEN_CITY, True, True),
        ("litellm", CITY, True, False),
    ],
)
def test_a_server_with_schemas_gets_the_schema_as_it_is(
    table: str, schema: dict[str, object], strict: bool, enforced: bool
) -> None:
    """Strict only where OpenAI would take it so; elsewhere the reply has to be judged when it is whole."""
    wire = wire_of(output_config={"format": {"type": "json_schema", "schema": schema}}, table=table)

    assert wire.body["response_format"] == response_format(schema, strict=strict)
    assert wire.format is not None
    assert wire.format.enforced == enforced
    assert (wire.messages, wire.adaptations) == ([{"role": "user", "content": "Hello"}], ())


def test_a_server_with_any_json_is_told_the_schema_too() -> None:
    """DeepSeek wants the word JSON in the prompt as well."""
    wire = wire_of(output_config=FORMAT, system="Be brief.", table="deepseek")

    assert wire.body["response_format"] == {"type": "json_object"}
    assert wire.messages[0] == {"role": "system", "content": f"Be brief.\n\n{INSTRUCTION}"}
    assert wire.format is not None
    assert not wire.format.enforced
    assert wire.adaptations == TOLD


def test_a_server_without_either_is_told() -> None:
    """And judged; the caller hears of it, since no grammar holds the model (C04)."""
    wire = wire_of(output_config=FORMAT, table=None)

    assert "response_format" not in wire.body
    assert wire.messages[0] == {"role": "system", "content": INSTRUCTION}
    assert wire.adaptations == TOLD


def test_a_format_may_be_dropped_by_the_table() -> None:
    """Loudly."""
    wire = wire_of(output_config=FORMAT, takes={"fields": {"output_config.format": "drop"}})

    assert (wire.format, wire.adaptations) == (None, dropped("output_config.format"))


def test_the_older_name_of_the_format_means_the_same() -> None:
    """C45."""
    wire = wire_of(output_format=FORMAT["format"], table="vllm")

    assert wire.body["response_format"] == response_format(CITY, strict=True)


@pytest.mark.parametrize(
    ("schema", "message"),
    [
        ({"type": "text"}, 'output_config.format.schema: "text" is not valid under any of the schemas'),
        ({"$ref": "#/$defs/City"}, "output_config.format.schema: "),
        ({"$ref": "file:///etc/passwd"}, "output_config.format.schema: "),
        ({"pattern": "("}, "output_config.format.schema: "),
    ],
)
def test_what_is_no_schema_is_refused_by_name(schema: dict[str, object], message: str) -> None:
    """Before any server is called; nothing is read that is not in it."""
    with pytest.raises(InvalidRequest) as caught:
        wire_of(output_config={"format": {"type": "json_schema", "schema": schema}})

    assert caught.value.param == "output_config.format.schema"
    assert caught.value.message.startswith(message)


def test_a_format_and_a_prefill_exclude_each_other() -> None:
    """As in Anthropic's API."""
    conversation = [{"role": "user", "content": "a"}, {"role": "assistant", "content": "{"}]

    with pytest.raises(InvalidRequest, match="cannot go on from a trailing assistant turn") as caught:
        wire_of(conversation, output_config=FORMAT)

    assert caught.value.param == "output_config.format"


def test_the_repair_shows_the_reply_and_what_is_wrong() -> None:
    """One more turn of each side."""
    asked: list[dict[str, object]] = [{"role": "user", "content": "a"}]

    assert repair_of(asked, Fault("Paris", "No.")) == [
        *asked,
        {"role": "assistant", "content": "Paris"},
        {"role": "user", "content": "No."},
    ]


CLOSED: dict[str, object] = {"type": "object", "properties": {}, "required": [], "additionalProperties": False}


def with_city(city: object) -> dict[str, object]:
    """A closed object with one property of this schema."""
    return CLOSED | {"properties": {"city": city}, "required": ["city"]}


@pytest.mark.parametrize(
    "schema",
    [
        CITY,
        CLOSED,
        with_city({"type": ["string", "null"], "pattern": "^P", "description": "d"}),
        with_city({"type": "array", "items": CLOSED, "minItems": 1}),
        with_city({"anyOf": [{"type": "string", "format": "date"}, {"$ref": "#/$defs/a"}]}) | {"$defs": {"a": CLOSED}},
    ],
)
def test_schemas_that_openais_strict_mode_takes(schema: dict[str, object]) -> None:
    """Closed objects, everything required, known keywords."""
    assert is_strict(schema)


@pytest.mark.parametrize(
    "schema",
    [
        {"enum": ["a"]},
        CITY | {"additionalProperties": True},
        CITY | {"required": []},
        CITY | {"anyOf": [CLOSED]},
        CITY | {"oneOf": [CLOSED]},
        with_city(True),
        with_city({"type": "string", "format": "uri"}),
        with_city({"type": ["object", "null"]}),
        with_city({"properties": {"a": {}}}),
        with_city({"anyOf": {}}),
        CLOSED | {"properties": []},
        CLOSED | {"$defs": []},
        with_city(
            with_city(with_city(with_city(with_city(with_city(with_city(with_city(with_city(with_city(CITY)))))))))
        ),
    ],
)
def test_schemas_that_it_does_not_take(schema: dict[str, object]) -> None:
    """Anything else is sent as a hint, and the reply is judged."""
    assert not is_strict(schema)

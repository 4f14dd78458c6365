"""Replies that must follow a JSON schema: what a chat-completions server is told, and how it is asked once more."""

from collections.abc import Sequence
from typing import assert_never

from megallm.messages.frozen import frozen
from megallm.messages.requests import JsonSchemaFormat
from megallm.providers.judging import Fault, Format, instruction
from megallm.providers.openai.structured_schema import is_strict
from megallm.providers.openai.wire_translation import Translation
from megallm.providers.schemas import schema_of

JsonObject = dict[str, object]

_PATH = "output_config.format"
_BY_INSTRUCTION = "by instruction"
_NAME = "reply"  # chat completions want one; models see it


@frozen
class WireFormat:
    """The body's fields about the format, and what the system prompt says of it."""

    body: JsonObject
    instruction: str = ""
    format: Format | None = None


def format_to_wire(translation: Translation, wanted: JsonSchemaFormat | None, *, prefilled: bool) -> WireFormat:
    """Raises InvalidRequest for a schema that is none, and for one together with a prefill."""
    if wanted is None or translation.field(_PATH, _PATH) is None:
        return WireFormat({})
    schema = schema_of(wanted, prefilled=prefilled)
    match translation.dialect.structured_outputs:
        case "json_schema":
            strict = not translation.dialect.strict_schemas or is_strict(wanted.json_schema)
            described = {"name": _NAME, "schema": wanted.json_schema, "strict": strict}
            body: JsonObject = {"response_format": {"type": "json_schema", "json_schema": described}}
            return WireFormat(body, "", Format(schema, enforced=strict and translation.dialect.enforces_schemas))
        case "json_object":
            translation.changed(_PATH, _BY_INSTRUCTION)
            body = {"response_format": {"type": "json_object"}}
            return WireFormat(body, instruction(wanted), Format(schema))
        case "instruct":
            translation.changed(_PATH, _BY_INSTRUCTION)
            return WireFormat({}, instruction(wanted), Format(schema))
        case kind:
            assert_never(kind)


def repair_of(messages: Sequence[JsonObject], fault: Fault) -> list[JsonObject]:
    """The conversation that asks once more: with the reply that was wrong, and what is wrong with it."""
    return [*messages, {"role": "assistant", "content": fault.text}, {"role": "user", "content": fault.complaint}]

"""Replies that must follow a JSON schema: what the server is told, and how a reply is read and repaired (C24)."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import assert_never

from pydantic_core import to_json

from megallm.errors import InvalidRequest
from megallm.messages.requests import JsonSchemaFormat
from megallm.providers.openai.structured_schema import BadSchema, Schema, is_strict
from megallm.providers.openai.wire_translation import Translation

JsonObject = dict[str, object]

_PATH = "output_config.format"
_NAME = "reply"  # chat completions want one; models see it


@dataclass(frozen=True, slots=True)
class Format:
    """The schema of a reply.

    ``enforced``: the server lets nothing else through, so that a reply may be shown as it comes; else only a whole
    one can be judged.
    """

    schema: Schema
    enforced: bool


@dataclass(frozen=True, slots=True)
class WireFormat:
    """The body's fields about the format, and what the system prompt says of it."""

    body: JsonObject
    instruction: str = ""
    format: Format | None = None


def format_to_wire(translation: Translation, wanted: JsonSchemaFormat | None, *, prefilled: bool) -> WireFormat:
    """Raises InvalidRequest for a schema that is none, and for one together with a prefill."""
    if wanted is None or translation.field(_PATH, _PATH) is None:
        return WireFormat({})
    if prefilled:  # neither does Anthropic's API take both: https://platform.claude.com/docs/en/build-with-claude/structured-outputs
        raise InvalidRequest(f"{_PATH}: a reply in a format cannot go on from a trailing assistant turn", param=_PATH)
    try:
        schema = Schema(wanted.json_schema)
    except BadSchema as error:
        raise InvalidRequest(f"{_PATH}.schema: {error}", param=f"{_PATH}.schema") from error
    match translation.dialect.structured_outputs:
        case "json_schema":
            strict = not translation.dialect.strict_schemas or is_strict(wanted.json_schema)
            described = {"name": _NAME, "schema": wanted.json_schema, "strict": strict}
            body: JsonObject = {"response_format": {"type": "json_schema", "json_schema": described}}
            return WireFormat(body, "", Format(schema, enforced=strict and translation.dialect.enforces_schemas))
        case "json_object":
            body = {"response_format": {"type": "json_object"}}
            return WireFormat(body, _instruction(wanted), Format(schema, enforced=False))
        case "instruct":
            return WireFormat({}, _instruction(wanted), Format(schema, enforced=False))
        case kind:
            assert_never(kind)


def _instruction(wanted: JsonSchemaFormat) -> str:
    return (
        "Your answer must be one JSON value and nothing else: no code fence, no words before or after it. "
        f"It must follow this JSON Schema:\n{to_json(wanted.json_schema).decode()}"
    )


def bare(text: str) -> str:
    """A JSON reply without white space and a code fence around it."""
    text = text.strip()
    if not (text.startswith("```") and text.endswith("```")):
        return text
    first_line, _, rest = text.partition("\n")
    return rest.removesuffix("```").strip() if first_line.strip("`").strip().isalpha() or first_line == "```" else text


def repair_of(messages: Sequence[JsonObject], reply: str, fault: str) -> list[JsonObject]:
    """The conversation that asks once more: with the reply that was wrong, and what is wrong with it."""
    return [
        *messages,
        {"role": "assistant", "content": reply},
        {
            "role": "user",
            "content": f"This does not follow the JSON Schema: {fault}\nAnswer again: the right JSON and nothing else.",
        },
    ]

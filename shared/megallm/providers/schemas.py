"""Callers' JSON schemas: whether a text follows one.

The only module that knows jsonschema-rs, which bounds what a hostile pattern can cost.
"""

import importlib
from collections.abc import Mapping
from typing import TYPE_CHECKING, NoReturn

from pydantic_core import from_json

from megallm.errors import InvalidRequest, clip
from megallm.messages.requests import JsonSchemaFormat
from megallm.providers.schema_steps import TooManySteps, check_references, count_steps

if TYPE_CHECKING:
    import jsonschema_rs

JsonObject = Mapping[str, object]

_PATH = "output_config.format"


class BadSchema(Exception):
    """It is no JSON schema, or it refers to something that is not in it; the message says what."""


class Schema:
    """A schema that texts can be checked against. Raises BadSchema."""

    def __init__(self, schema: JsonObject) -> None:
        if (outside := check_references(schema)) is not None:
            raise BadSchema(f"{clip(outside)} does not lead into the schema by a path such as #/$defs/name")
        # Imported when the first schema comes: 90 ms that a cold start need not pay.
        library = importlib.import_module("jsonschema_rs")
        try:
            self._validator: jsonschema_rs.Validator = library.validator_for(dict(schema), retriever=_nowhere)
        except ValueError as error:
            raise BadSchema(clip(str(error).partition("\n")[0], 300)) from error
        self.schema = schema

    def fault(self, text: str) -> str | None:
        """What is wrong with a text that should be JSON of this schema; None where nothing is.

        Raises InvalidRequest where only a check of far too many steps could tell.
        """
        try:
            value = from_json(text)
        except ValueError as error:
            return f"it is not valid JSON: {clip(str(error), 200)}"
        try:
            count_steps(self.schema, value)
        except TooManySteps as error:
            raise InvalidRequest(
                f"{_PATH}.schema: to check a reply against it takes too many steps: it repeats itself too often",
                param=f"{_PATH}.schema",
            ) from error
        found = next(iter(self._validator.iter_errors(value)), None)
        if found is None:
            return None
        where = "".join(f"[{step!r}]" for step in found.instance_path)
        return clip(f"{where or 'the value'}: {found.message}", 500)


def schema_of(wanted: JsonSchemaFormat, *, prefilled: bool) -> Schema:
    """The schema that a request wants its reply to follow.

    Raises InvalidRequest for one that is none, and for one together with a prefill.
    """
    if prefilled:  # neither does Anthropic's API take both: https://platform.claude.com/docs/en/build-with-claude/structured-outputs
        raise InvalidRequest(f"{_PATH}: a reply in a format cannot go on from a trailing assistant turn", param=_PATH)
    try:
        return Schema(wanted.json_schema)
    except BadSchema as error:
        raise InvalidRequest(f"{_PATH}.schema: {error}", param=f"{_PATH}.schema") from error


def _nowhere(uri: str) -> NoReturn:
    # Else the library would read files and the network for whoever writes a schema.
    raise ValueError(f"{clip(uri)} is not part of the schema")

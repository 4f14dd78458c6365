"""What a line of the input holds: a row, and the row's custom_id. Knows no task's template.

A line of ``errors.jsonl`` counts as the item inside of it, so that the file can be submitted again as it is.
"""

import re
from collections.abc import Mapping
from typing import Any

from pydantic_core import from_json, to_json

from megallm.batches.lines import MAX_LINE_BYTES
from megallm.batches.model import Job
from megallm.errors import InvalidRequest, clip
from megallm.messages.frozen import frozen

# Anthropic's rule for the ids of a message batch.
MESSAGES_ID = re.compile(r"[A-Za-z0-9_-]{1,64}", re.ASCII)
MAX_ID_LETTERS = 256  # of a text's id: any letters, since they are often the keys of someone's table

# The parser's limit is 200, and a row must be readable inside of the lines that are made of it, too.
_FEW_BRACKETS = 150
_AROUND = (b"[" * 10, b"]" * 10)

_ERROR_LINE = frozenset({"custom_id", "record", "error", "item"})


@frozen
class Row:
    """A JSON object of the input. ``original`` is its JSON; ``given_id`` the id that an earlier batch gave it."""

    fields: Mapping[str, Any]  # Any: rows hold what their owners put into them
    original: bytes
    given_id: str | None = None


class Unreadable(InvalidRequest):
    """A line that holds no row. ``original`` is what can be kept of it, ``given_id`` as of a row."""

    def __init__(self, message: str, original: bytes, given_id: str | None = None) -> None:
        super().__init__(message)
        self.original = original
        self.given_id = given_id


def row_of(line: bytes) -> Row:
    """Raises Unreadable for what is no JSON object."""
    if len(line) > MAX_LINE_BYTES:
        raise Unreadable(f"The item is larger than {MAX_LINE_BYTES:,} bytes and was not read", b"")
    row = _object(line, None)
    return _inner(row) if row.keys() == _ERROR_LINE else Row(row, line)


def _inner(row: Mapping[str, Any]) -> Row:
    custom_id, item = row["custom_id"], row["item"]
    given_id = custom_id if isinstance(custom_id, str) and 0 < len(custom_id) <= MAX_ID_LETTERS else None
    match item:
        case dict():
            return Row(item, to_json(item), given_id)
        case str():  # the text of a line that was no JSON object
            original = item.encode()
            return Row(_object(original, given_id), original, given_id)
        case _:
            raise Unreadable(
                "The item was too large to be kept in errors.jsonl; submit it from its source", b"", given_id
            )


def _object(line: bytes, given_id: str | None) -> Mapping[str, Any]:
    try:
        value = from_json(line, allow_inf_nan=False)
    except ValueError as error:
        # The parser's text names a position, never the text that stands there.
        raise Unreadable(f"The line is not valid JSON: {error}", line, given_id) from None
    if line.count(b"[") + line.count(b"{") > _FEW_BRACKETS and not _can_stand_inside(line):
        raise Unreadable("The line is nested too deeply", line, given_id)
    if not isinstance(value, dict):
        raise Unreadable("The line must be a JSON object", line, given_id)
    return value


def _can_stand_inside(line: bytes) -> bool:
    try:
        from_json(line.join(_AROUND))
    except ValueError:
        return False
    return True


def id_field(job: Job) -> str:
    """The field that has a row's id."""
    name = job.options.get("id_field")
    return name if isinstance(name, str) else "custom_id"


def own_id_of(row: Row, job: Job) -> str | None:
    """The row's id, else that which an earlier batch gave it; None where it goes by its number.

    Raises InvalidRequest for what can be no id.
    """
    return custom_id_of(row, job) or row.given_id


def custom_id_of(row: Row, job: Job) -> str | None:
    """The id that stands in the row, None where none does. Raises InvalidRequest for what can be no id."""
    field = id_field(job)
    value = row.fields.get(field)
    match value:
        case None:
            return None
        case str() if job.task == "messages":
            if MESSAGES_ID.fullmatch(value):
                return value
            raise InvalidRequest(
                f"{field}: 1 to 64 of the letters A-Z, a-z, 0-9, _ and - are allowed, not {clip(value)!r}", param=field
            )
        case str() if 0 < len(value) <= MAX_ID_LETTERS:
            return value
        case int() if job.task != "messages" and not isinstance(value, bool):
            return str(value)
        case _:
            allowed = "a string" if job.task == "messages" else f"a number or a string of 1 to {MAX_ID_LETTERS} letters"
            raise InvalidRequest(f"{field} must be {allowed}", param=field)

"""Structured logs: one JSON object a line, with ids, sizes and durations, never content and never a key."""

import logging
import sys
import traceback
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import TextIO

from pydantic_core import to_json

LOGGER = logging.getLogger("megallm")
_FIELDS, _MEMBERS = "megallm_fields", "megallm_members"


def log(
    event: str, fields: Mapping[str, object], *, error: BaseException | None = None, members: str | None = None
) -> None:
    """Writes one line, at level error where there is one. *fields* are scalars: ids, counts, names, milliseconds.

    *members* is JSON text of further members, which are metrics. Never pass what a caller wrote.
    """
    level = logging.INFO if error is None else logging.ERROR
    if LOGGER.isEnabledFor(level):
        LOGGER.log(level, event, exc_info=error, extra={_FIELDS: fields, _MEMBERS: members})


class JsonLines(logging.Formatter):
    """A record as one JSON line; other libraries' records too.

    Of an exception it keeps the types and the places, not the messages: those may quote what a caller sent.
    """

    def format(self, record: logging.LogRecord) -> str:
        line: dict[str, object] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "event": record.getMessage() if record.name.startswith(LOGGER.name) else record.name,
        }
        line.update(fields_of(record))
        if record.exc_info and record.exc_info[1] is not None:
            line["error"] = _places(record.exc_info[1])
        text = to_json(line, fallback=str).decode()
        members = getattr(record, _MEMBERS, None)
        return text if members is None else f"{text[:-1]},{members}}}"


def fields_of(record: logging.LogRecord) -> Mapping[str, object]:
    """The fields that ``log`` was given."""
    fields = getattr(record, _FIELDS, None)
    return fields if isinstance(fields, dict) else {}


def _places(error: BaseException) -> list[dict[str, object]]:
    chain: list[dict[str, object]] = []
    current: BaseException | None = error
    while current is not None and len(chain) < 8:
        frames = traceback.extract_tb(current.__traceback__)[-12:]
        chain.append(
            {
                "type": f"{type(current).__module__}.{type(current).__qualname__}",
                "at": [f"{frame.filename}:{frame.lineno} {frame.name}" for frame in frames],
            }
        )
        current = current.__cause__ or current.__context__
    return chain


def configure(stream: TextIO | None = None, *, level: int = logging.INFO) -> None:
    """Sends this project's log to *stream* (default: standard output) as JSON lines, and other libraries' warnings."""
    handler = logging.StreamHandler(stream or sys.stdout)
    handler.setFormatter(JsonLines())
    root = logging.getLogger()
    root.handlers = [handler]  # replaces the Lambda runtime's own handler, which would write each line twice
    root.setLevel(logging.WARNING)
    LOGGER.setLevel(level)

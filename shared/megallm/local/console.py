"""What the terminal of a local stack shows: short lines for people. The whole story is in the JSON log."""

import logging
from datetime import UTC, datetime

from megallm.telemetry import LOGGER, fields_of


class ShortLines(logging.Formatter):
    """A log record in one line of at most a terminal's width; of other libraries' records, only where they are."""

    def format(self, record: logging.LogRecord) -> str:
        time = datetime.fromtimestamp(record.created, UTC).astimezone().strftime("%H:%M:%S")
        fields = dict(fields_of(record))
        if record.getMessage() == "request":
            return f"{time}  {_request(fields)}"
        if record.name.startswith(LOGGER.name):
            told = "  ".join(
                f"{name} {value}" for name, value in fields.items() if isinstance(value, str | int | float)
            )
            return f"{time}  {record.getMessage()}  {told}".rstrip()
        return f"{time}  {record.levelname.lower()} of {record.name}"


def _request(fields: dict[str, object]) -> str:
    parts = [f"{fields.get('method')} {fields.get('route')}", str(fields.get("status"))]
    if model := fields.get("model"):
        parts.append(str(model))
    if "input_tokens" in fields:
        parts.append(f"{fields['input_tokens']} in, {fields.get('output_tokens')} out")
    if error_type := fields.get("error_type"):
        parts.append(str(error_type))
    if isinstance(duration := fields.get("duration_ms"), int | float):
        parts.append(f"{duration:,.0f} ms")
    return "  ".join(parts)

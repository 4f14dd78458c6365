"""Log lines are JSON, and hold no content."""

import io
import json
import logging

from megallm import telemetry


def read(stream: io.StringIO) -> list[dict[str, object]]:
    return [json.loads(line) for line in stream.getvalue().splitlines()]


def test_a_line_has_time_level_event_and_its_fields(lines: io.StringIO) -> None:
    """One JSON object a line."""
    telemetry.log("request", {"status": 200, "key_id": "abc"})

    (line,) = read(lines)
    time = line.pop("time")
    assert line == {"level": "info", "event": "request", "status": 200, "key_id": "abc"}
    assert isinstance(time, str)
    assert time.endswith("+00:00")


def test_an_exception_is_told_by_type_and_place_not_by_its_text(lines: io.StringIO) -> None:
    """Its text may quote what a caller sent; the same goes for its cause."""
    error = RuntimeError("a marked key")
    error.__cause__ = KeyError("a marked prompt")

    telemetry.log("crash", {"request_id": "req_1"}, error=error)

    (line,) = read(lines)
    assert "marked" not in lines.getvalue()
    assert line["level"] == "error"
    assert isinstance(line["error"], list)
    assert [entry["type"] for entry in line["error"]] == ["builtins.RuntimeError", "builtins.KeyError"]


def test_other_libraries_are_heard_by_name_from_warnings_on(lines: io.StringIO) -> None:
    """Their messages may quote a URL or a body, so only who spoke is kept."""
    logging.getLogger("httpx").info("a marked prompt")
    logging.getLogger("botocore").warning("a marked prompt")

    (line,) = read(lines)
    line.pop("time")
    assert line == {"level": "warning", "event": "botocore"}

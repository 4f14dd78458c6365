"""What the terminal of a local stack shows."""

import io
import logging
from pathlib import Path

import pytest
from rich.console import Console

from megallm.local.banner import show
from megallm.local.console import ShortLines
from megallm.local.model_choice import ChosenModel
from megallm.telemetry import LOGGER, log
from tests.local.test_state import STATE


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> io.StringIO:
    """Takes what the project logs, in short lines."""
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    handler.setFormatter(ShortLines())
    monkeypatch.setattr(LOGGER, "handlers", [handler])
    monkeypatch.setattr(LOGGER, "propagate", False)
    monkeypatch.setattr(LOGGER, "level", logging.INFO)
    LOGGER.manager._clear_cache()  # type: ignore[attr-defined]  # else the level of before counts
    return stream


def test_a_request_is_one_short_line(terminal: io.StringIO) -> None:
    """What somebody wants to see while they try things; the ids are in the log."""
    log(
        "request",
        {
            "request_id": "req_1",
            "method": "POST",
            "route": "/v1/messages",
            "status": 200,
            "duration_ms": 1234.56,
            "model": "claude-sonnet-4",
            "input_tokens": 12,
            "output_tokens": 34,
        },
    )

    assert terminal.getvalue()[8:] == "  POST /v1/messages  200  claude-sonnet-4  12 in, 34 out  1,235 ms\n"


def test_a_refused_request_shows_why(terminal: io.StringIO) -> None:
    """By the type of its error."""
    fields = {"method": "GET", "route": "/v1/models", "status": 401, "duration_ms": 0.4}
    log("request", fields | {"error_type": "authentication_error"})

    assert terminal.getvalue()[8:] == "  GET /v1/models  401  authentication_error  0 ms\n"


def test_other_events_show_their_name_and_what_is_known(terminal: io.StringIO) -> None:
    """A crash is named here, and told in the log."""
    log("crash", {"request_id": "req_1"})

    assert terminal.getvalue()[8:] == "  crash  request_id req_1\n"


def test_an_exception_is_not_spread_over_the_terminal(terminal: io.StringIO) -> None:
    """Its text may quote what a caller sent."""
    log("crash", {}, error=ValueError("secret"))

    assert terminal.getvalue()[8:] == "  crash\n"


def test_the_banner_can_be_copied_from(tmp_path: Path) -> None:
    """No line of a snippet is wrapped, however narrow the terminal."""
    output = io.StringIO()
    chosen = ChosenModel("tiny", tmp_path, "Fluent nonsense.")

    show(STATE, chosen, Console(file=output, width=40))

    assert (
        output.getvalue()
        == f"""
MegaLLM {STATE.base_url}
API key {STATE.api_key}
Model   tiny. Fluent nonsense.
Inbox   s3://{STATE.bucket}/inbox/ at {STATE.aws_endpoint_url}; results in .megallm/results/
Queue   {STATE.queues["intake"]}

curl
curl {STATE.base_url}/v1/messages -H "x-api-key: {STATE.api_key}" -H "content-type: application/json" \\
  -d '{{"model": "claude-sonnet-4", "max_tokens": 100, "messages": [{{"role": "user", "content": "Hello!"}}]}}'

Python
from anthropic import Anthropic
client = Anthropic(base_url="{STATE.base_url}", api_key="{STATE.api_key}")
message = client.messages.create(
    model="claude-sonnet-4", max_tokens=100, messages=[{{"role": "user", "content": "Hello!"}}]
)
print(message.content[0].text)

Ctrl-C stops it. Log: .megallm/megallm.log
"""
    )

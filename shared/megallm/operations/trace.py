"""What one request did, gathered along its way and logged once at its end."""

from dataclasses import dataclass

from megallm.messages.events import Usage


@dataclass(slots=True)
class Trace:
    """Ids, counts and times of one request; nothing that a caller wrote but the model's name, once it is known."""

    request_id: str
    key_id: str | None = None
    message_id: str | None = None
    model: str | None = None
    route: str | None = None
    stream: bool = False
    usage: Usage | None = None
    stop_reason: str | None = None
    upstream_ms: float | None = None
    first_event_ms: float | None = None
    error_type: str | None = None

"""What one request did, gathered along its way and logged once at its end."""

from dataclasses import dataclass

from megallm.catalog.models import Model, Prices
from megallm.errors import GatewayError
from megallm.messages.events import Usage
from megallm.telemetry.causes import cause_of
from megallm.telemetry.metrics import NONE


@dataclass(slots=True)
class Trace:
    """Ids, counts and times of one request; nothing that a caller wrote but the model's name, once it is known.

    ``tier`` is the caller's, ``known_model`` the catalogue's entry of the model, ``first_token_at`` a moment of
    ``time.perf_counter``, and ``misconfigured`` how many routes refused what the operator configured for them.
    """

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
    cause: str | None = None
    tier: str = NONE
    known_model: Model | None = None
    first_token_at: float | None = None
    misconfigured: int = 0

    @property
    def prices(self) -> Prices | None:
        """Those of the model, where the catalogue has some."""
        return None if self.known_model is None else self.known_model.prices

    def failed(self, error: GatewayError) -> None:
        """The request was refused, or its reply broke off, with this."""
        self.error_type = error.type
        self.cause = cause_of(error, by_upstream=self.route is not None)

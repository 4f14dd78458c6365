"""The frames of InvokeModelWithResponseStream as events of a reply. Pure: feed a frame, get events.

Each holds one event of our own format as JSON in base64, and padding beside it.
Source: https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_PayloadPart.html
"""

from base64 import b64decode

from pydantic_core import from_json, to_json

from megallm.errors import UpstreamFailed
from megallm.messages.events import StreamEvent
from megallm.messages.native.relay import NativeRelay
from megallm.providers.bedrock.aws import Frame
from megallm.providers.bedrock.errors import stream_error

_AMAZONS = b'"amazon-bedrock-'  # metrics and traces, which are AWS's and not the model's


class InvokeStream:
    """One reply."""

    def __init__(self, relay: NativeRelay) -> None:
        self._relay = relay

    def feed(self, frame: Frame) -> list[StreamEvent]:
        """The events in a frame. Raises UpstreamFailed, or the error that came in the event's place."""
        if frame.kind != "event":
            raise stream_error(frame.name, frame.payload)
        if frame.name != "chunk":
            return []
        try:
            event = b64decode(from_json(frame.payload)["bytes"], validate=True)
            if _AMAZONS in event:
                event = without_amazons(event)
        except (ValueError, KeyError, TypeError) as error:
            raise UpstreamFailed("The upstream sent an event that cannot be read") from error
        return self._relay.event("", event)  # the name is the type in it


def without_amazons(event: bytes) -> bytes:
    """A JSON object without the fields that Bedrock puts beside the model's. Raises ValueError for no JSON."""
    payload = from_json(event)
    if not isinstance(payload, dict):
        return event
    return to_json({name: value for name, value in payload.items() if not name.startswith("amazon-bedrock-")})

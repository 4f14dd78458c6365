"""What a wire dialect of upstreams is, and the good reply that every one of them has."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from pydantic_core import to_json

from tests.contract.upstreams.listener import Received, Script

Json = Any  # what goes over the wire

TOOL_ID = "toolu_from_the_upstream"
INPUT_TOKENS, OUTPUT_TOKENS = 11, 7

# The reply of every dialect, as a client of the gateway is to get it.
CONTENT: Json = [
    {"type": "text", "text": "Hello, world"},
    {"type": "tool_use", "id": TOOL_ID, "name": "get_weather", "input": {"location": "Paris"}},
]
STOP_REASON = "tool_use"
# The pieces in which the tool's input is streamed.
ARGUMENT_PARTS = ('{"location":', ' "Paris"}')


@dataclass(frozen=True, slots=True)
class Refusal:
    """An error as the dialect words it: the body's own name for it, if the status has one, and further headers."""

    status: int
    kind: str
    message: str
    headers: Mapping[str, str] = field(default_factory=dict)


class Dialect(Protocol):
    """How one kind of upstream speaks."""

    name: str
    stream_type: str
    whole_after: int  # so many frames make the reply whole; what follows them adds only usage and an end mark

    def wants_stream(self, received: Received) -> bool:
        """Whether the request asks for a stream."""

    def body(self) -> bytes:
        """The good reply."""

    def frames(self) -> Sequence[bytes]:
        """The good reply as a stream."""

    def text_frame(self, text: str) -> bytes:
        """A frame with more text, which may stand behind the second one of the good reply's text."""

    def idle_frame(self) -> bytes:
        """What keeps a connection alive and tells nothing."""

    def error_frame(self) -> bytes:
        """An error in the middle of a stream."""

    def refuse(self, refusal: Refusal) -> Script:
        """An error response."""

    def too_long(self) -> Refusal:
        """The refusal of a prompt that does not fit the context."""


def sse(data: Json, event: str = "") -> bytes:
    """One server-sent event."""
    name = f"event: {event}\n".encode() if event else b""
    return name + b"data: " + to_json(data) + b"\n\n"

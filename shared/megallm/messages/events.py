"""The events of a reply, in the order message_start → (start → deltas → stop)* → message_delta → message_stop.

Providers yield these; ``sse`` writes them, ``fold`` turns them into a ``Reply``. The message id
and the model's public name are not in them: they belong to the request, not to the upstream.
A native upstream's own objects ride along as ``native``, so that fields which we do not know survive.
"""

from collections.abc import Mapping
from typing import Literal

from megallm.messages.frozen import frozen

StopReason = Literal[
    "end_turn",
    "max_tokens",
    "stop_sequence",
    "tool_use",
    "pause_turn",
    "refusal",
    "model_context_window_exceeded",
]

JsonObject = Mapping[str, object]


@frozen
class Usage:
    """Tokens of one call. ``input_tokens`` excludes what was read from or written to a cache.

    ``native`` is the usage object of an upstream that speaks our own format; the numbers here stand over its.
    """

    input_tokens: int = 0
    output_tokens: int = 0
    cache_read_input_tokens: int = 0
    cache_creation_input_tokens: int = 0
    thinking_tokens: int = 0
    native: JsonObject | None = None

    @property
    def prompt_tokens(self) -> int:
        """All input, cached or not."""
        return self.input_tokens + self.cache_read_input_tokens + self.cache_creation_input_tokens


def plus(first: Usage | None, second: Usage | None) -> Usage | None:
    """The sum of two calls' tokens; None where nothing is known of either."""
    if first is None or second is None:
        return first or second
    return Usage(
        input_tokens=first.input_tokens + second.input_tokens,
        output_tokens=first.output_tokens + second.output_tokens,
        cache_read_input_tokens=first.cache_read_input_tokens + second.cache_read_input_tokens,
        cache_creation_input_tokens=first.cache_creation_input_tokens + second.cache_creation_input_tokens,
        thinking_tokens=first.thinking_tokens + second.thinking_tokens,
    )


@frozen
class MessageStart:
    """The reply begins. ``usage`` has the input tokens, estimated if need be; ``native`` is the upstream's message."""

    usage: Usage
    native: JsonObject | None = None


@frozen
class BlockStart:
    """A content block begins, as ``content_block`` shows it: empty text, or a tool's id and name."""

    index: int
    block: JsonObject


@frozen
class TextDelta:
    """More text for the open block."""

    index: int
    text: str


@frozen
class InputJsonDelta:
    """A further piece of the JSON text of a tool call's input."""

    index: int
    partial_json: str


@frozen
class ThinkingDelta:
    """More thinking for the open block."""

    index: int
    thinking: str


@frozen
class SignatureDelta:
    """The signature of the open thinking block."""

    index: int
    signature: str


@frozen
class BlockStop:
    """The open block ends."""

    index: int


@frozen
class MessageDelta:
    """Why the reply ended, and its final usage; ``native`` is the upstream's event."""

    stop_reason: StopReason
    usage: Usage
    stop_sequence: str | None = None
    stop_details: JsonObject | None = None
    native: JsonObject | None = None


@frozen
class MessageStop:
    """The reply is whole."""


Event = (
    MessageStart
    | BlockStart
    | TextDelta
    | InputJsonDelta
    | ThinkingDelta
    | SignatureDelta
    | BlockStop
    | MessageDelta
    | MessageStop
)


@frozen
class Relayed:
    """A frame of a native upstream between message_start and message_delta, as it goes over the wire, unread."""

    frame: bytes


StreamEvent = Event | Relayed


@frozen
class Reply:
    """A whole reply. ``content`` holds content blocks as they go over the wire; ``native`` the upstream's message."""

    content: tuple[JsonObject, ...]
    stop_reason: StopReason
    usage: Usage
    stop_sequence: str | None = None
    stop_details: JsonObject | None = None
    native: JsonObject | None = None

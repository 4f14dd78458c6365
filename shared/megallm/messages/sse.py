"""Server-sent events: events of a reply to bytes, and bytes of an upstream to its events.

``encode`` writes what clients read; ``SseDecoder`` reads what upstreams write, wherever the bytes
are cut. Neither knows what the payloads mean.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import assert_never

from pydantic_core import to_json

from megallm.errors import GatewayError, envelope
from megallm.messages.events import (
    BlockStart,
    BlockStop,
    Event,
    InputJsonDelta,
    MessageDelta,
    MessageStart,
    MessageStop,
    SignatureDelta,
    TextDelta,
    ThinkingDelta,
)
from megallm.messages.replies import message_start_to_wire, usage_to_wire

PING = b'event: ping\ndata: {"type":"ping"}\n\n'
MESSAGE_STOP = b'event: message_stop\ndata: {"type":"message_stop"}\n\n'


_DELTA_HEAD = b'event: content_block_delta\ndata: {"type":"content_block_delta","index":%d,"delta":'
# Deltas are nearly all frames of a stream; writing them by template halves their cost.
_TEXT_DELTA = _DELTA_HEAD + b'{"type":"text_delta","text":%b}}\n\n'
_INPUT_JSON_DELTA = _DELTA_HEAD + b'{"type":"input_json_delta","partial_json":%b}}\n\n'
_THINKING_DELTA = _DELTA_HEAD + b'{"type":"thinking_delta","thinking":%b}}\n\n'


def encode(event: Event, message_id: str, model: str) -> bytes:
    """One frame, with ``event:`` and a ``data:`` whose ``type`` is the same (C25)."""
    match event:
        case TextDelta():
            return _TEXT_DELTA % (event.index, to_json(event.text))
        case InputJsonDelta():
            return _INPUT_JSON_DELTA % (event.index, to_json(event.partial_json))
        case ThinkingDelta():
            return _THINKING_DELTA % (event.index, to_json(event.thinking))
        case BlockStart():
            return frame({"type": "content_block_start", "index": event.index, "content_block": event.block})
        case BlockStop():
            return b'event: content_block_stop\ndata: {"type":"content_block_stop","index":%d}\n\n' % event.index
        case MessageStart():
            return frame(message_start_to_wire(message_id, model, event.usage))
        case MessageDelta():
            delta: dict[str, object] = {"stop_reason": event.stop_reason, "stop_sequence": event.stop_sequence}
            if event.stop_details is not None:
                delta["stop_details"] = event.stop_details
            return frame({"type": "message_delta", "delta": delta, "usage": usage_to_wire(event.usage)})
        case MessageStop():
            return MESSAGE_STOP
        case SignatureDelta():
            return frame(
                {
                    "type": "content_block_delta",
                    "index": event.index,
                    "delta": {"type": "signature_delta", "signature": event.signature},
                }
            )
        case _:
            assert_never(event)


def encode_error(error: GatewayError, request_id: str) -> bytes:
    """The last frame of a stream that broke: the envelope that a response's body would have had (C28)."""
    return b"event: error\ndata: %b\n\n" % to_json(envelope(error, request_id))


def frame(payload: Mapping[str, object]) -> bytes:
    """A payload with a ``type`` as a frame of that event."""
    return b"event: %b\ndata: %b\n\n" % (str(payload["type"]).encode(), to_json(payload))


@dataclass(frozen=True, slots=True)
class ServerSentEvent:
    """One event of a stream: its name (``message`` where the stream gives none) and its data lines joined."""

    event: str
    data: str


class SseDecoder:
    """Bytes in, events out, by the rules of the WHATWG specification.

    CR, LF and CRLF end lines; a byte-order mark at the start and comments are skipped; bytes that
    are not UTF-8 become U+FFFD; an event without its blank line is not dispatched.
    Source: https://html.spec.whatwg.org/multipage/server-sent-events.html#parsing-an-event-stream
    """

    def __init__(self) -> None:
        self._buffer = b""
        self._event = ""
        self._data: list[str] = []
        self._at_start = True

    def feed(self, chunk: bytes) -> list[ServerSentEvent]:
        """The events that are whole now."""
        buffer = self._buffer + chunk
        if self._at_start:
            if len(buffer) < 3 and b"\xef\xbb\xbf".startswith(buffer):
                self._buffer = buffer
                return []
            buffer = buffer.removeprefix(b"\xef\xbb\xbf")
            self._at_start = False
        ends_in_cr = buffer.endswith(b"\r")  # may be half of a CRLF: it waits for the next byte
        if ends_in_cr:
            buffer = buffer[:-1]
        if b"\r" in buffer:
            buffer = buffer.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
        *lines, rest = buffer.split(b"\n")
        self._buffer = rest + b"\r" if ends_in_cr else rest
        return [event for line in lines if (event := self._line(line)) is not None]

    def finish(self) -> list[ServerSentEvent]:
        """The stream has ended: a last blank line may have been held back as half a CRLF."""
        if not self._buffer.endswith(b"\r"):
            return []
        line, self._buffer = self._buffer[:-1], b""
        event = self._line(line)
        return [] if event is None else [event]

    def _line(self, line: bytes) -> ServerSentEvent | None:
        if not line:
            return self._dispatch()
        name, _, value = line.partition(b":")
        text = value.removeprefix(b" ").decode("utf-8", "replace")
        if name == b"data":
            self._data.append(text)
        elif name == b"event":
            self._event = text
        return None

    def _dispatch(self) -> ServerSentEvent | None:
        data, name = self._data, self._event
        self._data, self._event = [], ""
        return ServerSentEvent(name or "message", "\n".join(data)) if data else None

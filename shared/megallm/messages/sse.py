"""Server-sent events: events of a reply to bytes, and bytes of an upstream to its events.

``encode`` writes what clients read; ``SseDecoder`` reads what upstreams write, wherever the bytes
are cut. Neither knows what the payloads mean.
"""

from collections.abc import Mapping
from typing import NamedTuple, assert_never

from pydantic_core import to_json

from megallm.errors import GatewayError, UpstreamFailed, envelope
from megallm.messages.events import (
    BlockStart,
    BlockStop,
    InputJsonDelta,
    MessageDelta,
    MessageStart,
    MessageStop,
    Relayed,
    SignatureDelta,
    StreamEvent,
    TextDelta,
    ThinkingDelta,
)
from megallm.messages.replies import message_delta_to_wire, message_start_to_wire

MAX_LINE_BYTES = 16 * 1024 * 1024
_MARK = b"\xef\xbb\xbf"  # the byte-order mark
_DATA = b"data: "

PING = b'event: ping\ndata: {"type":"ping"}\n\n'
MESSAGE_STOP = b'event: message_stop\ndata: {"type":"message_stop"}\n\n'


_DELTA_HEAD = b'event: content_block_delta\ndata: {"type":"content_block_delta","index":%d,"delta":'
# Deltas are nearly all frames of a stream; writing them by template halves their cost.
_TEXT_DELTA = _DELTA_HEAD + b'{"type":"text_delta","text":%b}}\n\n'
_INPUT_JSON_DELTA = _DELTA_HEAD + b'{"type":"input_json_delta","partial_json":%b}}\n\n'
_THINKING_DELTA = _DELTA_HEAD + b'{"type":"thinking_delta","thinking":%b}}\n\n'


def encode(event: StreamEvent, message_id: str, model: str) -> bytes:
    """One frame, with ``event:`` and a ``data:`` whose ``type`` is the same (C25)."""
    match event:
        case Relayed():
            return event.frame
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
            return frame(message_start_to_wire(message_id, model, event))
        case MessageDelta():
            return frame(message_delta_to_wire(event))
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


class ServerSentEvent(NamedTuple):
    """One event of a stream: its name (``message`` where the stream gives none) and its data lines joined.

    A tuple, because there is one for each piece of a reply, and a frozen dataclass takes twice as long to make.
    """

    event: str
    data: str


class SseDecoder:
    """Bytes in, events out, by the rules of the WHATWG specification.

    CR, LF and CRLF end lines; a byte-order mark at the start and comments are skipped; bytes that
    are not UTF-8 become U+FFFD; an event without its blank line is not dispatched.
    Source: https://html.spec.whatwg.org/multipage/server-sent-events.html#parsing-an-event-stream
    """

    def __init__(self) -> None:
        self._rest: list[bytes] = []  # pieces of a line whose end has not come
        self._rest_bytes = 0
        self._event = ""
        self._data: list[str] = []
        self._at_start = True

    def feed(self, chunk: bytes) -> list[ServerSentEvent]:
        """The events that are whole now. Raises UpstreamFailed for a line of more than 16 MB."""
        held_cr = bool(self._rest) and self._rest[-1].endswith(b"\r")
        self._rest.append(chunk)
        self._rest_bytes += len(chunk)
        if not (held_cr or self._at_start or b"\n" in chunk or b"\r" in chunk):
            if self._rest_bytes > MAX_LINE_BYTES:
                raise UpstreamFailed("The upstream sent a line without an end")
            return []
        buffer = b"".join(self._rest)
        if self._at_start:
            if len(buffer) < len(_MARK) and _MARK.startswith(buffer):
                return []
            buffer = buffer.removeprefix(_MARK)
            self._at_start = False
        ends_in_cr = buffer.endswith(b"\r")  # may be half of a CRLF: it waits for the next byte
        lines = _lines(buffer[:-1] if ends_in_cr else buffer)
        rest = lines.pop() + (b"\r" if ends_in_cr else b"")
        self._rest, self._rest_bytes = [rest] if rest else [], len(rest)
        return self._read(lines)

    def finish(self) -> list[ServerSentEvent]:
        """The stream has ended: a last blank line may have been held back as half a CRLF."""
        rest = b"".join(self._rest)
        self._rest, self._rest_bytes = [], 0
        return self._read([rest[:-1]]) if rest.endswith(b"\r") else []

    def _read(self, lines: list[bytes]) -> list[ServerSentEvent]:
        events: list[ServerSentEvent] = []
        for line in lines:
            if line.startswith(_DATA):  # most lines that are not empty: the shortest way for them
                self._data.append(line[len(_DATA) :].decode("utf-8", "replace"))
            elif line:
                self._field(line)
            else:
                if self._data:
                    data = self._data[0] if len(self._data) == 1 else "\n".join(self._data)
                    events.append(ServerSentEvent(self._event or "message", data))
                    self._data.clear()
                self._event = ""
        return events

    def _field(self, line: bytes) -> None:
        name, _, value = line.partition(b":")
        text = value.removeprefix(b" ").decode("utf-8", "replace")
        if name == b"data":
            self._data.append(text)
        elif name == b"event":
            self._event = text


def _lines(text: bytes) -> list[bytes]:
    """What stands between the line ends; the last one has none behind it."""
    return (text.replace(b"\r\n", b"\n").replace(b"\r", b"\n") if b"\r" in text else text).split(b"\n")

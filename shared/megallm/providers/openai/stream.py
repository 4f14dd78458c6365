"""Turns the streamed reply of a chat-completions server into events. Pure: feed bytes, get events (C11 to C15, C25 on).

Text, thinking and calls that come after a finish_reason still belong to the reply, and the last finish_reason counts:
nothing is lost, since message_delta waits for the end anyway. Calls are passed on where the request allowed none.
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import assert_never

from megallm.errors import GatewayError, UpstreamFailed
from megallm.messages.builder import CUT, BlockBuilder
from megallm.messages.events import Event, Usage
from megallm.messages.sse import ServerSentEvent, SseDecoder
from megallm.providers.openai.calls import ToolCalls
from megallm.providers.openai.chunk_template import ChunkTemplate
from megallm.providers.openai.chunks import (
    CallPiece,
    JsonObject,
    Piece,
    Refusal,
    Text,
    Thinking,
    error_in,
    first_choice,
    object_of,
    parse,
    pieces,
    plain_text,
    string,
)
from megallm.providers.openai.errors import Filtered
from megallm.providers.openai.expected import Expected
from megallm.providers.openai.finish_reasons import filtered, stop_details, stop_reason, stopped_at
from megallm.providers.openai.reply_text import ReplyText
from megallm.providers.openai.stream_error import stream_error
from megallm.providers.openai.usage import usage_from_wire, usage_of, utf8_bytes

_DONE = "[DONE]"


class ReplyStream:
    """One reply. ``done`` becomes true once nothing that the upstream still sends counts."""

    def __init__(self, expected: Expected) -> None:
        self._expected = expected
        self._decoder = SseDecoder()
        self._builder = BlockBuilder(lambda thinking: expected.sign(expected.route, thinking))
        self._text = ReplyText(expected.prefill, expected.stop_sequences)
        self._template = ChunkTemplate()
        self._calls = ToolCalls(self._builder, expected.tool_names, expected.new_tool_id)
        self._chunks = 0
        self._started = False
        self._blocks = False  # thinking or calls, beside text
        self._finish_reason = self._stopped_at = self._refusal = self._filtered = ""
        self._usage: Mapping[str, object] | None = None
        self._output_bytes = 0
        self._failure: GatewayError | None = None
        self.done = False

    @property
    def usage(self) -> Usage | None:
        """What was used so far, estimated where the upstream has not told; None before its first chunk."""
        return self._usage_so_far() if self._chunks else None

    @property
    def has_ended(self) -> bool:
        """Whether the upstream has said why the reply ends: what is still to come is usage at most."""
        return bool(self._finish_reason)

    def feed(self, chunk: bytes) -> list[Event]:
        """The events of some bytes of the body, cut anywhere. An error among them is kept for ``finish``.

        So the events before it are not lost, wherever the bytes were cut.
        """
        events: list[Event] = []
        try:
            for event in self._decoder.feed(chunk):
                if self.done:
                    break
                events += self._read(event)
        except GatewayError as error:
            self._failure = error
            self.done = True
        return events

    def feed_chunk(self, chunk: JsonObject) -> list[Event]:
        """The same for a chunk that was read already. Raises GatewayError for the error that it tells of."""
        self._chunks += 1
        choice = first_choice(chunk)
        events: list[Event] = []
        if failure := error_in(chunk, choice):
            return self._fail(failure)
        self._usage = usage_from_wire(chunk, choice) or self._usage
        if choice is None:
            return []
        events += self._start()
        delta = choice.get("delta")
        for piece in pieces(object_of(choice.get("message") if delta is None else delta)):
            events += self._piece(piece)
            if self.done:
                return events
        self._filtered = filtered(choice) or self._filtered
        if reason := string(choice.get("finish_reason")):
            self._finish_reason = reason
            self._stopped_at = stopped_at(choice, chunk)
        return events

    def finish(self) -> list[Event]:
        """The body has ended. Raises GatewayError where there was an error in it, or the reply had not ended."""
        if self._failure is not None:
            raise self._failure
        events: list[Event] = []
        for event in () if self.done else self._decoder.finish():
            events += self._read(event)
        if not self._finish_reason and self._text.matched is None:
            raise UpstreamFailed("The upstream ended before its reply was whole")
        events += self._builder.text(self._text.end(alone=not self._blocks))
        if self._text.matched is None:
            events += self._calls.begin_waiting()
        return events + self._end()

    def _read(self, event: ServerSentEvent) -> list[Event]:
        if event.event == "error":
            return self._fail(_error_of(event.data))
        if event.data == _DONE:
            self.done = True
            return []
        if text := self._template.text_of(event.data):
            self._chunks += 1
            return self._show(text)
        if not event.data:
            return []
        chunk = parse(event.data)
        if self._started and (text := plain_text(chunk)):
            self._template.learn(event.data, text)
            self._chunks += 1
            return self._show(text)
        return self.feed_chunk(chunk)

    def _fail(self, payload: object) -> list[Event]:
        """Raises the error, but for a content filter's: that is how a reply may end (C11)."""
        outcome = stream_error(payload, self._expected.redact)
        if not isinstance(outcome, Filtered):
            raise outcome
        self._finish_reason, self._filtered = "content_filter", outcome.found
        self.done = True
        return self._start()

    def _start(self) -> list[Event]:
        if self._started:
            return []
        self._started = True
        so_far = self._usage_so_far()
        return self._builder.start(replace(so_far, output_tokens=0, thinking_tokens=0))

    def _piece(self, piece: Piece) -> list[Event]:
        match piece:
            case Text(text):
                return self._show(text)
            case Refusal(text):
                self._refusal += text
                return self._show(text)
            case Thinking(text):
                events = self._end_text()
                self._output_bytes += utf8_bytes(text)
                return events if self.done else events + self._builder.thinking(text)
            case CallPiece():
                events = self._end_text()
                self._output_bytes += utf8_bytes(piece.arguments)
                return events if self.done else events + self._calls.add(piece, self._chunks)
            case unknown:
                assert_never(unknown)

    def _show(self, text: str) -> list[Event]:
        self._output_bytes += utf8_bytes(text)
        shown = text if self._text.passes else self._text.feed(text)
        self.done = self._text.matched is not None
        return self._builder.text(shown)

    def _end_text(self) -> list[Event]:
        """Something else than text follows."""
        self._blocks = True
        events = self._builder.text(self._text.end_block())
        self.done = self._text.matched is not None
        return events

    def _end(self) -> list[Event]:
        usage = self._usage_so_far()
        if (matched := self._text.matched) is not None:
            return self._builder.finish("stop_sequence", usage, stop_sequence=matched)
        reason = stop_reason(self._finish_reason, refused=bool(self._refusal), calls=self._calls.count > 0)
        self._calls.end(cut=reason in CUT)
        if reason == "refusal":
            details = stop_details(self._refusal, self._filtered)
            return self._builder.finish(reason, usage, stop_details=details)
        if reason == "end_turn" and self._stopped_at in self._expected.stop_sequences:
            return self._builder.finish("stop_sequence", usage, stop_sequence=self._stopped_at)
        return self._builder.finish(reason, usage)

    def _usage_so_far(self) -> Usage:
        return usage_of(
            self._usage or {}, input_estimate=self._expected.input_estimate, output_bytes=self._output_bytes
        )


def _error_of(text: str) -> object:
    """What an event named ``error`` holds: the chunk of an error, or its text."""
    try:
        chunk = parse(text)
    except UpstreamFailed:
        return text
    return chunk.get("error") or chunk

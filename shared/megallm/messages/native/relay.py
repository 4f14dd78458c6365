"""Relays the events of an upstream that speaks our own format, unread where nobody needs to read them.

Owns what keeps the stream honest: one block after the other, the usage, and that only message_stop ends it well.
"""

import re
from collections.abc import Callable, Sequence
from dataclasses import replace

from pydantic_core import to_json

from megallm.errors import UpstreamFailed
from megallm.messages.events import JsonObject, MessageDelta, MessageStart, MessageStop, Relayed, StreamEvent, Usage
from megallm.messages.native.blocks import completed, says_nothing
from megallm.messages.native.errors import native_error
from megallm.messages.native.frames import delta_frame, frame, stop_frame
from megallm.messages.native.payloads import json_object, utf8
from megallm.messages.native.stops import later, stop_details_of, stop_of
from megallm.messages.native.usage import native_usage, tells_output, with_input
from megallm.messages.native.written import Written

_UNNAMED = ("", "message")  # what a decoder calls an event without a name
_TYPE_FIRST = re.compile(rb'\s*\{\s*"type"\s*:\s*"([A-Za-z0-9_.-]+)"')
# A quotation mark inside a string has a backslash before it, so this finds members only.
_INDEX = re.compile(rb'"index"\s*:\s*(\d+)')
_BARE_DELTA_BYTES = 90  # what a delta without any text has
_TOKEN_BYTES = 4


class NativeRelay:
    """One reply on its way. ``done`` says that message_stop was relayed.

    *input_estimate* stands where the upstream has no figure (C25); *stop_sequences* are the
    request's, because not every upstream says ``stop_sequence`` for its reason when it found one. *redact* takes out
    of an error what the caller must not read.
    """

    def __init__(
        self,
        *,
        input_estimate: int = 1,
        stop_sequences: Sequence[str] = (),
        redact: Callable[[JsonObject], JsonObject] = lambda payload: payload,
    ) -> None:
        self._input_estimate = input_estimate
        self._stop_sequences = stop_sequences
        self._redact = redact
        self._usage: Usage | None = None  # None until message_start
        self._block = -1  # the block that began last
        self._open = False
        self._index = b""  # its index, as it stands in the payloads
        self._end: JsonObject = {}  # message_delta, or all of them in one
        self._ended = False
        self._told = False  # whether the end told the output
        self._written: Written | None = None  # where the beginning tells no output, what to reckon it from
        self._deltas = self._delta_bytes = 0
        self.done = False

    @property
    def usage(self) -> Usage | None:
        """The tokens so far; until the upstream tells it, the output is a guess from what was relayed."""
        return None if self._usage is None else self._so_far(self._usage)

    def event(self, name: str, data: str | bytes) -> list[StreamEvent]:
        """What an event of the upstream becomes. Where it has no name, the payload's type is taken.

        Raises UpstreamFailed where the reply cannot become a legal one, and what ``native_error`` makes of an error.
        """
        payload = data.encode() if isinstance(data, str) else utf8(data)
        if name in _UNNAMED:
            found = _TYPE_FIRST.match(payload)
            name = found[1].decode() if found else ""
        if name == "content_block_delta" and self._is_of_open_block(payload):
            return self._relay_delta(payload)
        if self.done or payload.strip() in (b"", b"[DONE]"):
            return []
        return self._read(name, payload)

    def finish(self) -> None:
        """The upstream has ended. Raises UpstreamFailed unless message_stop was relayed."""
        if not self.done:
            raise UpstreamFailed("The upstream ended before its reply was whole")

    def _is_of_open_block(self, payload: bytes) -> bool:
        """A glance at a delta, since most events are one; anything odd about it and it is read."""
        found = _INDEX.search(payload)
        return (
            self._open
            and found is not None
            and found[1] == self._index
            and b'"content_block_delta"' in payload
            and payload.rstrip().endswith(b"}")
        )

    def _relay_delta(self, payload: bytes) -> list[StreamEvent]:
        self._deltas += 1
        self._delta_bytes += len(payload)
        if self._written is not None:
            self._written.add(payload)
        return [Relayed(delta_frame(payload))]

    def _read(self, name: str, raw: bytes) -> list[StreamEvent]:
        payload = json_object(raw)
        kind = payload.get("type")
        if not isinstance(kind, str):
            kind = name or "error"
            raw = to_json({"type": kind, **payload})
        match kind:
            case "error":
                raise native_error(payload, self._redact)
            case "message_start":
                return self._start(payload)
            case "content_block_start":
                return self._block_start(payload, raw)
            case "content_block_delta":
                return self._delta(payload, raw)
            case "content_block_stop":
                return self._block_stop(payload, raw)
            case "message_delta":
                return self._message_delta(payload)
            case "message_stop":
                return self._message_stop()
            case _:  # a ping, or what nobody knows yet: not before message_start
                return [] if self._usage is None else [Relayed(frame(kind, raw))]

    def _start(self, payload: JsonObject) -> list[StreamEvent]:
        if self._usage is not None:
            return []  # some gateways say it twice; the blocks of a second message have the wrong indices
        message = payload.get("message")
        if not isinstance(message, dict) or message.get("content"):
            raise UpstreamFailed("The upstream's reply has no proper beginning")
        usage = message.get("usage")
        if not tells_output(usage):
            self._written = Written()  # such an upstream may not tell it at the end either
        self._usage = with_input(native_usage(usage), self._input_estimate)
        return [MessageStart(self._usage, native=message)]

    def _block_start(self, payload: JsonObject, raw: bytes) -> list[StreamEvent]:
        block = payload.get("content_block")
        in_turn = self._usage is not None and not self._ended and payload.get("index") == self._block + 1
        if not in_turn or not isinstance(block, dict):
            raise UpstreamFailed("The upstream began a content block out of turn")
        events = self._close()
        self._block += 1
        if self._written is not None:
            self._written.begin(block)
        self._open, self._index = True, b"%d" % self._block
        if (whole := completed(block)) is not block:
            raw = to_json({**payload, "content_block": whole})
        events.append(Relayed(frame("content_block_start", raw)))
        return events

    def _delta(self, payload: JsonObject, raw: bytes) -> list[StreamEvent]:
        if self._open and payload.get("index") == self._block:
            return self._relay_delta(raw)
        if self._has_begun(payload) and says_nothing(payload.get("delta")):
            return []
        raise UpstreamFailed("The upstream went on with a content block that was not open")

    def _block_stop(self, payload: JsonObject, raw: bytes) -> list[StreamEvent]:
        if self._open and payload.get("index") == self._block:
            self._open = False
            return [Relayed(frame("content_block_stop", raw))]
        if self._has_begun(payload):
            return []  # we ended it when the next one began
        raise UpstreamFailed("The upstream ended a content block that had not begun")

    def _message_delta(self, payload: JsonObject) -> list[StreamEvent]:
        if self._usage is None:
            raise UpstreamFailed("The upstream's reply has no proper beginning")
        before = self._end.get("delta")
        delta = later(before if isinstance(before, dict) else {}, payload.get("delta"))
        self._end = {**self._end, **payload, "delta": delta}
        usage = payload.get("usage")
        self._usage = _with_prompt(native_usage(usage, self._so_far(self._usage)), self._usage)
        self._told = self._told or tells_output(usage)
        reason, sequence = stop_of(delta, self._stop_sequences)
        if reason is None:
            return []  # the usage alone; the reason comes in another one
        self._ended = True
        return [*self._close(), MessageDelta(reason, self._usage, sequence, stop_details_of(delta), self._end)]

    def _message_stop(self) -> list[StreamEvent]:
        if not self._ended:
            raise UpstreamFailed("The upstream ended its reply without saying why")
        self.done = True
        return [MessageStop()]

    def _close(self) -> list[StreamEvent]:
        """Ends the block that the upstream left open: llama.cpp ends them all at last, our clients get one by one."""
        if not self._open:
            return []
        self._open = False
        return [Relayed(stop_frame(self._block))]

    def _has_begun(self, payload: JsonObject) -> bool:
        index = payload.get("index")
        return isinstance(index, int) and 0 <= index <= self._block

    def _so_far(self, usage: Usage) -> Usage:
        if self._ended or self._told:
            return usage
        if self._written is not None:
            return replace(usage, output_tokens=self._written.tokens)
        text_bytes = self._delta_bytes - _BARE_DELTA_BYTES * self._deltas
        tokens = max(usage.output_tokens, self._deltas, text_bytes // _TOKEN_BYTES)
        return replace(usage, output_tokens=tokens)


def _with_prompt(usage: Usage, before: Usage) -> Usage:
    """The usage; where it says that there was no prompt, which cannot be, with that of *before*."""
    if usage.prompt_tokens:
        return usage
    return replace(
        usage,
        input_tokens=before.input_tokens,
        cache_read_input_tokens=before.cache_read_input_tokens,
        cache_creation_input_tokens=before.cache_creation_input_tokens,
    )

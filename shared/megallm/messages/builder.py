"""Turns an upstream's fragments into legal events: one block open at a time, indices without a gap.

Owns the order of events and nothing else; it is fed by every provider that translates, and it
raises UpstreamFailed where the fragments cannot become a whole block (contract C22, C25, C26).
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from pydantic_core import from_json

from megallm.errors import UpstreamFailed
from megallm.messages.events import (
    BlockStart,
    BlockStop,
    Event,
    InputJsonDelta,
    MessageDelta,
    MessageStart,
    MessageStop,
    SignatureDelta,
    StopReason,
    TextDelta,
    ThinkingDelta,
    Usage,
)

# The reasons after which a reply's last block may be incomplete.
CUT: frozenset[StopReason] = frozenset({"max_tokens", "model_context_window_exceeded", "refusal"})


@dataclass(slots=True)
class _ToolCall:
    """A tool call that is open, or waits for its turn: what is known of it and not yet sent."""

    id: str
    name: str
    pending: list[str] = field(default_factory=list)
    arguments: list[str] = field(default_factory=list)


class BlockBuilder:
    """One reply under construction. Each method returns the events that its fragment allows.

    Tool calls are told apart by a *key* of the upstream's choosing. While one is open, the fragments of
    others wait, and come whole once it is closed. Text and thinking close whatever is open; where that is a
    call in the middle of its input, they wait until the input is whole.
    *sign*, where it is given, makes the signature of each thinking block from its text.
    """

    def __init__(self, sign: Callable[[str], str] | None = None) -> None:
        self._sign = sign
        self._thoughts: list[str] = []  # of the open thinking block
        self._later: list[tuple[str, str]] = []  # text and thinking that wait for calls to be whole
        self._index = -1
        self._open: str | None = None  # "text", "thinking" or "tool"
        self._open_key: object = None
        self._calls: dict[object, _ToolCall] = {}
        self._waiting: list[object] = []

    def start(self, usage: Usage) -> list[Event]:
        """The reply begins; *usage* tells its input tokens."""
        return [MessageStart(usage)]

    def text(self, text: str) -> list[Event]:
        """A piece of text; an empty one opens nothing."""
        if self._open == "text" and text:
            return [TextDelta(self._index, text)]
        return self._say("text", text)

    def thinking(self, thinking: str) -> list[Event]:
        """A piece of thinking; an empty one opens nothing."""
        return self._say("thinking", thinking)

    def signature(self, signature: str) -> list[Event]:
        """The signature of the thinking block that is open; ignored where none is."""
        return [SignatureDelta(self._index, signature)] if self._open == "thinking" else []

    def tool_call(self, key: object, call_id: str, name: str) -> list[Event]:
        """A tool call begins. Told again for the same key, it changes nothing."""
        if key in self._calls:
            return []
        self._calls[key] = _ToolCall(call_id, name)
        if self._open == "tool":
            self._waiting.append(key)
            return []
        return self._open_call(key)

    def tool_input(self, key: object, partial_json: str) -> list[Event]:
        """A piece of the JSON text of a call's input. Raises UpstreamFailed for a call that never began."""
        call = self._calls.get(key)
        if call is None:
            raise UpstreamFailed("The upstream sent arguments of a tool call that it had not begun")
        if not partial_json:
            return []
        call.arguments.append(partial_json)
        if self._open == "tool" and self._open_key == key:
            return [InputJsonDelta(self._index, partial_json)]
        if key not in self._waiting:
            raise UpstreamFailed("The upstream went on with a tool call that had ended")
        call.pending.append(partial_json)
        return []

    def call_is_whole(self, key: object) -> bool:
        """Whether the input of a call that has begun is a JSON object as it stands."""
        pieces = self._calls[key].arguments
        last = next((piece for piece in reversed(pieces) if piece.strip()), "")
        if not last.rstrip().endswith("}"):  # nearly always tells, and spares joining them
            return False
        try:
            return isinstance(from_json("".join(pieces)), dict)
        except ValueError:
            return False

    def finish(
        self,
        stop_reason: StopReason,
        usage: Usage,
        *,
        stop_sequence: str | None = None,
        stop_details: Mapping[str, object] | None = None,
    ) -> list[Event]:
        """Closes what is open and ends the reply.

        Raises UpstreamFailed where a call's input is no JSON object, unless the reply was cut
        (max_tokens and the like), when its last block ends as Anthropic's does: incomplete.
        """
        cut = stop_reason in CUT
        events = self._say_later() + self._close(cut)
        events.append(MessageDelta(stop_reason, usage, stop_sequence, stop_details))
        events.append(MessageStop())
        return events

    def _say(self, kind: str, piece: str) -> list[Event]:
        if not piece:
            return []
        if self._open == "tool" and not self._may_close():
            self._later.append((kind, piece))
            return []
        return self._say_later() + self._put(kind, piece)

    def _say_later(self) -> list[Event]:
        later, self._later = self._later, []
        return [event for kind, piece in later for event in self._put(kind, piece)]

    def _put(self, kind: str, piece: str) -> list[Event]:
        events: list[Event] = []
        if self._open != kind:
            empty = {"text": ""} if kind == "text" else {"thinking": "", "signature": ""}
            events = self._switch(kind, {"type": kind, **empty})
        if kind == "text":
            events.append(TextDelta(self._index, piece))
        else:
            if self._sign is not None:
                self._thoughts.append(piece)
            events.append(ThinkingDelta(self._index, piece))
        return events

    def _may_close(self) -> bool:
        """Whether no call is in the middle of its input; one that has none so far may never get any (C22)."""
        begun = [self._open_key, *self._waiting]
        return all(not self._calls[key].arguments or self.call_is_whole(key) for key in begun)

    def _switch(self, kind: str, block: Mapping[str, object]) -> list[Event]:
        events = self._close(cut=False)
        self._index += 1
        self._open = kind
        events.append(BlockStart(self._index, block))
        return events

    def _open_call(self, key: object) -> list[Event]:
        call = self._calls[key]
        events = self._switch("tool", {"type": "tool_use", "id": call.id, "name": call.name, "input": {}})
        self._open_key = key
        if call.pending:
            events.append(InputJsonDelta(self._index, "".join(call.pending)))
            call.pending.clear()
        return events

    def _close(self, cut: bool) -> list[Event]:
        """Ends the open block, then sends the waiting calls whole."""
        events: list[Event] = []
        while self._open is not None:
            if self._open == "tool":
                last = not self._waiting
                _check_input(self._calls[self._open_key], may_be_cut=cut and last)
            elif self._open == "thinking" and self._sign is not None:
                thoughts, self._thoughts = "".join(self._thoughts), []
                events.append(SignatureDelta(self._index, self._sign(thoughts)))
            events.append(BlockStop(self._index))
            self._open = None
            if self._waiting:
                events += self._open_call(self._waiting.pop(0))
        return events


def _check_input(call: _ToolCall, *, may_be_cut: bool) -> None:
    text = "".join(call.arguments)
    if not text.strip():
        return  # no arguments at all means {} (C22)
    try:
        value = from_json(text, allow_partial=may_be_cut)
    except ValueError as error:
        raise UpstreamFailed("The upstream sent a tool call whose arguments are not valid JSON") from error
    if not isinstance(value, dict):
        raise UpstreamFailed("The upstream sent a tool call whose arguments are not a JSON object")

"""Tells the tool calls of a streamed reply apart (contract C20, C22, C26). Servers disagree on how that is done.

- OpenAI: each call has an index; its first piece has id and name, the others neither.
- Ollama up to 0.20, Gemini's and others: every call has index 0, or none, and comes whole, with an id of its own.
  https://github.com/ollama/ollama/issues/15457, https://github.com/ollama/ollama/issues/7881
- vLLM: index 0 again for a new id, and an empty id on the pieces that follow; SGLang repeats the id on each.
  https://github.com/InternLM/lmdeploy/issues/3412
- vLLM up to 0.8, with a named tool: the name is repeated in each piece, without any id.
- No server is known that sends a name in pieces, so that a name is always whole.

A call whose name comes before its id waits for it: until its arguments begin, another call does, or the reply ends.
An id that comes later than that is not the client's any more, who has been told one of ours: to wait for it would hold
the arguments back, which of servers that send no ids (Gemini's, Ollama's older ones) would be all of them. In a whole
reply such a call has the upstream's id; the two differ in that alone, and both of them round-trip (C20).
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from megallm.errors import UpstreamFailed
from megallm.messages.builder import BlockBuilder
from megallm.messages.events import Event
from megallm.providers.openai.chunks import CallPiece


@dataclass(slots=True, eq=False)
class _Call:
    """One call, itself the key by which the builder knows it. ``held`` are arguments that came before the name."""

    index: int | None
    id: str
    name: str = ""
    held: list[str] = field(default_factory=list)
    chunk: int = 0  # the last chunk that had a piece of it
    begun: bool = False


class ToolCalls:
    """The calls of one reply: pieces in, events out. ``count`` of them have begun."""

    def __init__(self, builder: BlockBuilder, tool_names: Mapping[str, str], new_tool_id: Callable[[], str]) -> None:
        self._builder = builder
        self._tool_names = tool_names
        self._new_tool_id = new_tool_id
        self._calls: list[_Call] = []
        self._ids: set[str] = set()
        self.count = 0

    def add(self, piece: CallPiece, chunk: int) -> list[Event]:
        """A piece of a call; *chunk* numbers the chunk that it came in. Raises UpstreamFailed."""
        call = self._of(piece, chunk)
        events: list[Event] = []
        if call is None:
            if not (piece.id or piece.name or piece.arguments):
                return []
            events += self.begin_waiting()
            call = _Call(piece.index, piece.id)
            self._calls.append(call)
        call.id = call.id or piece.id
        call.name = call.name or piece.name
        call.chunk = chunk
        if call.begun:
            return events + self._builder.tool_input(call, piece.arguments)
        if piece.arguments:
            call.held.append(piece.arguments)
        return events + self._begin(call) if call.name and (call.id or call.held) else events

    def begin_waiting(self) -> list[Event]:
        """Calls that have waited for their id begin with one of ours."""
        return [event for call in self._calls if call.name and not call.begun for event in self._begin(call)]

    def end(self, *, cut: bool) -> None:
        """The reply is over. Raises UpstreamFailed for a call without a name, unless the reply was cut before it."""
        if not cut and not all(call.name for call in self._calls):
            raise UpstreamFailed("The upstream sent a tool call without a name")

    def _begin(self, call: _Call) -> list[Event]:
        call.begun = True
        call_id = call.id if call.id and call.id not in self._ids else self._new_tool_id()
        self._ids.add(call_id)
        self.count += 1
        events = self._builder.tool_call(call, call_id, self._tool_names.get(call.name, call.name))
        return events + self._builder.tool_input(call, "".join(call.held))

    def _of(self, piece: CallPiece, chunk: int) -> _Call | None:
        """The call that a piece goes on with, None where it begins one."""
        call = self._candidate(piece)
        if call is None or not piece.name or not call.name:
            return call
        if piece.id and piece.id != call.id and (call.id or call.begun):
            return None
        # The name is told again: by a server that always does so, or because another call is meant.
        another = piece.name != call.name or call.chunk == chunk
        whole = call.begun and piece.arguments.strip() and self._builder.call_is_whole(call)
        return None if another or whole else call

    def _candidate(self, piece: CallPiece) -> _Call | None:
        """The last call that has the piece's id, else its index, else the last of all."""
        if piece.id:
            for call in reversed(self._calls):
                if call.id == piece.id and piece.index in (None, call.index):
                    return call
        for call in reversed(self._calls):
            if piece.index in (None, call.index):
                return call
        return None

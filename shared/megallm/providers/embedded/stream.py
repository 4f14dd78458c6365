"""Turns llama.cpp's completion chunks into the events of a reply. Pure: feed a chunk, get events."""

from collections.abc import Callable, Mapping
from typing import Any, assert_never

from megallm.errors import UpstreamFailed
from megallm.messages.builder import BlockBuilder
from megallm.messages.events import Event, StopReason, Usage
from megallm.messages.stop_sequences import StopMatcher
from megallm.providers.embedded.call_parsing import (
    CallBegin,
    CallInput,
    ChosenCalls,
    ForcedCall,
    Fragment,
    Text,
)
from megallm.providers.embedded.fences import JsonFence
from megallm.providers.embedded.wire import Wire


class PlainText:
    """No tools: everything is text."""

    done = False

    def feed(self, text: str) -> list[Fragment]:
        """The text itself."""
        return [Text(text)] if text else []

    def flush(self) -> list[Fragment]:
        """Nothing is ever held back."""
        return []


class ReplyStream:
    """One reply. ``done`` becomes true once nothing that the model still writes counts."""

    def __init__(self, wire: Wire, prompt_tokens: int, new_tool_id: Callable[[], str]) -> None:
        self._new_tool_id = new_tool_id
        self._prompt_tokens = prompt_tokens
        self._max_tokens = wire.parameters["n_predict"]
        self._builder = BlockBuilder()
        self._matcher = StopMatcher(wire.stop_sequences)
        self._parser = _parser(wire)
        self._primer = wire.primer
        self._space = wire.prompt.space
        self._started = self._final = False
        self._cached_tokens = self._output_tokens = 0
        self._stop_type = ""
        self._calls = 0
        self.done = False

    def feed(self, chunk: Mapping[str, Any]) -> list[Event]:
        """The events of one chunk. The first chunk, which may hold nothing but progress, begins the reply."""
        self._cached_tokens = _cached(chunk, self._cached_tokens)
        self._output_tokens = chunk.get("tokens_predicted", self._output_tokens)
        events: list[Event] = []
        if not self._started:
            self._started = True
            events += self._builder.start(self._usage(0))
            events += self._fragments(self._parser.feed(self._primer))
        events += self._fragments(self._parser.feed(self._without_space(chunk.get("content", ""))))
        if chunk.get("stop"):
            self._final = True
            self._stop_type = chunk.get("stop_type", "")
        self.done = self.done or self._parser.done or self._matcher.matched is not None
        return events

    @property
    def usage(self) -> Usage:
        """What has been used so far."""
        return self._usage(self._output_tokens)

    def finish(self) -> list[Event]:
        """Ends the reply. Raises UpstreamFailed where the chunks ended before the reply did."""
        if not self._final and not self.done:
            raise UpstreamFailed("The embedded model stopped in the middle of its reply")
        events: list[Event] = []
        if self._matcher.matched is None:
            events += self._fragments(self._parser.flush())
            events += self._builder.text(self._matcher.flush())
        matched = self._matcher.matched
        return events + self._builder.finish(self._stop_reason(), self.usage, stop_sequence=matched)

    def _without_space(self, content: str) -> str:
        """The text without the space that the prefill already ended in."""
        if not content:
            return ""
        space, self._space = self._space, ""
        return content.removeprefix(space)

    def _fragments(self, fragments: list[Fragment]) -> list[Event]:
        events: list[Event] = []
        for fragment in fragments:
            if self._matcher.matched is not None:
                break
            match fragment:
                case Text():
                    events += self._builder.text(self._matcher.feed(fragment.text))
                case CallBegin():
                    events += self._builder.text(self._matcher.flush())
                    self._calls += 1
                    events += self._builder.tool_call(self._calls, self._new_tool_id(), fragment.name)
                case CallInput():
                    events += self._builder.tool_input(self._calls, fragment.partial_json)
                case _:
                    assert_never(fragment)
        return events

    def _stop_reason(self) -> StopReason:
        if self._matcher.matched is not None:
            return "stop_sequence"
        if self._stop_type == "limit" and not self._parser.done:
            cut = self._output_tokens < self._max_tokens  # type: ignore[operator]  # n_predict is an int
            return "model_context_window_exceeded" if cut else "max_tokens"
        return "tool_use" if self._calls else "end_turn"

    def _usage(self, output_tokens: int) -> Usage:
        cached = min(self._cached_tokens, self._prompt_tokens)
        return Usage(
            input_tokens=self._prompt_tokens - cached, output_tokens=output_tokens, cache_read_input_tokens=cached
        )


def _parser(wire: Wire) -> PlainText | JsonFence | ForcedCall | ChosenCalls:
    match wire.calls:
        case "none":
            return JsonFence() if wire.unfence else PlainText()
        case "chosen":
            return ChosenCalls(wire.tool_names, parallel=wire.parallel)
        case "forced":
            return ForcedCall()
        case _:
            assert_never(wire.calls)


def _cached(chunk: Mapping[str, Any], before: int) -> int:
    progress, timings = chunk.get("prompt_progress"), chunk.get("timings")
    if progress:
        return int(progress.get("cache", before))
    return int(timings.get("cache_n", before)) if timings else before

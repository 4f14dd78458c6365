"""Turns the events of ConverseStream into those of a reply. Pure: feed an event, get events.

A whole reply of Converse is read as the stream that it would have been.
Source of the shapes: https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_ConverseStreamOutput.html
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from pydantic_core import to_json

from megallm.errors import UpstreamFailed
from megallm.messages.builder import BlockBuilder
from megallm.messages.events import Event, JsonObject, Reply, StopReason, Usage
from megallm.messages.fold import fold
from megallm.messages.stop_sequences import StopMatcher
from megallm.providers.bedrock.converse.tools import OUTPUT_TOOL

Payload = Mapping[str, Any]  # Any: JSON of the upstream

_STOP_REASONS: Mapping[str, StopReason] = {
    "end_turn": "end_turn",
    "tool_use": "tool_use",
    "max_tokens": "max_tokens",
    "stop_sequence": "stop_sequence",
    "guardrail_intervened": "refusal",
    "content_filtered": "refusal",
    "model_context_window_exceeded": "model_context_window_exceeded",
}
_EXPLANATIONS = {
    "guardrail_intervened": "A guardrail intervened.",
    "content_filtered": "The content was filtered.",
}


@dataclass(frozen=True, slots=True)
class Expected:
    """What the request says about reading its reply.

    ``sign`` makes our signature of thinking; None where the upstream's own one is passed on. ``tool_names`` maps names
    as they were sent to those that the client knows; calls of the output tool are text where ``output_tool`` says so.
    ``stop_sequences`` are matched by us; a reply that begins with ``space`` loses it. ``input_estimate`` is what
    message_start says of the input, since Converse tells it last of all (C25).
    """

    new_tool_id: Callable[[], str]
    sign: Callable[[str], str] | None
    tool_names: Mapping[str, str]
    stop_sequences: tuple[str, ...] = ()
    output_tool: bool = False
    space: str = ""
    input_estimate: int = 1


class _Builder(BlockBuilder):
    """Also knows blocks that come whole."""

    def whole(self, block: JsonObject) -> list[Event]:
        return self._switch("whole", block)


class ConverseStream:
    """One reply. ``done`` becomes true once nothing that still comes counts; ``written`` collects what was generated.

    ``usage`` is None until the upstream tells it, which it does last of all.
    """

    def __init__(self, expected: Expected) -> None:
        self._expected = expected
        self._builder = _Builder(expected.sign)
        self._matcher = StopMatcher(expected.stop_sequences)
        self._space = expected.space
        self._keys: dict[object, object] = {}  # index of a content block -> the open call's key
        self._outputs: list[object] = []  # indices of calls of the output tool, of which the first counts
        self._output_begun = False
        self._beside: list[str] = []  # text that is none of the reply where such a call comes
        self._calls = 0
        self._started = False
        self._stop_reason = ""
        self.usage: Usage | None = None
        self.written: list[str] = []
        self.done = False

    def feed(self, name: str, payload: Payload) -> list[Event]:
        """The events of one event. Raises UpstreamFailed for what cannot be part of a reply."""
        if self.done:
            return []
        events: list[Event] = []
        if not self._started:
            self._started = True
            events += self._builder.start(Usage(self._expected.input_estimate))
        index = payload.get("contentBlockIndex")
        match name:
            case "contentBlockStart":
                events += self._start(index, _object(payload, "start"))
            case "contentBlockDelta":
                events += self._delta(index, _object(payload, "delta"))
            case "messageStop":
                self._stop_reason = str(payload.get("stopReason"))
            case "metadata":
                self.usage = _usage(_object(payload, "usage"))
            case _:
                pass  # messageStart, contentBlockStop, and events that are not invented yet
        self.done = self._matcher.matched is not None or (self.usage is not None and bool(self._stop_reason))
        return events

    def finish(self, estimate: Usage) -> list[Event]:
        """Ends the reply; *estimate* stands where the upstream told no usage.

        Raises UpstreamFailed where the events ended before the reply did.
        """
        usage = self.usage or estimate
        events = [] if self._matcher.matched is not None else self._settle_output()
        if self._matcher.matched is not None:
            return events + self._builder.finish("stop_sequence", usage, stop_sequence=self._matcher.matched)
        reason = _STOP_REASONS.get(self._stop_reason)
        if reason is None:
            # Also for malformed_model_output and malformed_tool_use: half a call is no reply.
            raise UpstreamFailed("The model's reply broke off before it was whole")
        events += self._builder.text(self._matcher.flush())
        sequence: str | None = None
        if reason == "stop_sequence":
            # One at most was sent, so that one it was; where none was, the model stopped at one of its own.
            sequence = self._expected.stop_sequences[0] if len(self._expected.stop_sequences) == 1 else None
            reason = "stop_sequence" if sequence is not None else "end_turn"
        if reason in ("tool_use", "end_turn"):
            reason = "tool_use" if self._calls else "end_turn"
        explanation = _EXPLANATIONS.get(self._stop_reason)
        details = None if explanation is None else {"type": "refusal", "category": None, "explanation": explanation}
        return events + self._builder.finish(reason, usage, stop_sequence=sequence, stop_details=details)

    def _start(self, index: object, start: Payload) -> list[Event]:
        if not start:
            return []
        call = start.get("toolUse")
        if not isinstance(call, Mapping):
            raise _unknown(start)
        name = str(call.get("name"))
        if self._expected.output_tool and name == OUTPUT_TOOL:
            self._outputs.append(index)
            return []
        events = self._say_beside()
        if self._matcher.matched is not None:
            return events
        self._calls += 1
        self._keys[index] = self._calls
        events += self._builder.text(self._matcher.flush())
        identifier = call.get("toolUseId")
        identifier = identifier if isinstance(identifier, str) and identifier else self._expected.new_tool_id()
        return events + self._builder.tool_call(self._calls, identifier, self._expected.tool_names.get(name, name))

    def _delta(self, index: object, delta: Payload) -> list[Event]:
        match delta:
            case {"text": str(text)}:
                return self._text(text)
            case {"toolUse": {"input": str(piece)}}:
                self.written.append(piece)
                if index in self._outputs:
                    return self._output(index, piece)
                return self._builder.tool_input(self._keys.get(index), piece)
            case {"reasoningContent": {"text": str(thought)}}:
                self.written.append(thought)
                return self._builder.text(self._matcher.flush()) + self._builder.thinking(thought)
            case {"reasoningContent": {"signature": str(signature)}}:
                return [] if self._expected.sign is not None else self._builder.signature(signature)
            case {"reasoningContent": {"redactedContent": str(data)}}:
                return self._builder.text(self._matcher.flush()) + self._builder.whole(
                    {"type": "redacted_thinking", "data": data}
                )
            case {"citation": _}:
                return []  # we ask for none
            case _ if not delta:
                return []
            case _:
                raise _unknown(delta)

    def _text(self, text: str) -> list[Event]:
        self.written.append(text)
        if self._space and text:
            text, self._space = text.removeprefix(self._space), ""
        if self._expected.output_tool:
            self._beside.append(text)  # "Here it is:" before the call would spoil the value
            return []
        return self._visible(text)

    def _output(self, index: object, piece: str) -> list[Event]:
        if index != self._outputs[0]:
            return []
        self._output_begun = self._output_begun or bool(piece)
        return self._visible(piece)

    def _settle_output(self) -> list[Event]:
        """The reply's text, as far as no call of the output tool has given it; one without input is empty (C22)."""
        if not self._outputs:
            return self._say_beside()
        return [] if self._output_begun else self._visible("{}")

    def _say_beside(self) -> list[Event]:
        said, self._beside = "".join(self._beside), []
        return self._visible(said)

    def _visible(self, text: str) -> list[Event]:
        return self._builder.text(self._matcher.feed(text))


def from_wire(payload: Payload, expected: Expected) -> Reply:
    """A whole reply of Converse. Raises UpstreamFailed for anything else."""
    stream = ConverseStream(expected)
    events = stream.feed("messageStart", {})
    message = _object(_object(payload, "output"), "message")
    content = message.get("content")
    if not isinstance(content, list):
        raise UpstreamFailed("The upstream's answer is no message")
    for index, block in enumerate(content):
        for name, piece in _as_stream(block):
            events += stream.feed(name, {"contentBlockIndex": index, **piece})
    events += stream.feed("messageStop", {"stopReason": payload.get("stopReason")})
    events += stream.feed("metadata", {"usage": payload.get("usage")})
    if stream.usage is None:  # a stop sequence ended it; the upstream has told all the same
        stream.usage = _usage(_object(payload, "usage"))
    return fold(events + stream.finish(Usage()))


def _as_stream(block: object) -> list[tuple[str, Payload]]:
    """The events that this block would have come in."""
    deltas: list[Payload]
    start: Payload = {}
    match block:
        case {"text": str(text)}:
            deltas = [{"text": text}]
        case {"toolUse": {"input": value, **call}}:
            start, deltas = {"toolUse": call}, [{"toolUse": {"input": to_json(value).decode()}}]
        case {"reasoningContent": {"reasoningText": {"text": str(text), **more}}}:
            deltas = [{"reasoningContent": {"text": text}}]
            if more.get("signature"):
                deltas.append({"reasoningContent": {"signature": more["signature"]}})
        case {"reasoningContent": {"redactedContent": str(data)}}:
            deltas = [{"reasoningContent": {"redactedContent": data}}]
        case {"citationsContent": {"content": list(parts)}}:
            deltas = parts
        case _:
            raise _unknown(block)
    pieces: list[tuple[str, Payload]] = [("contentBlockStart", {"start": start})] if start else []
    pieces += [("contentBlockDelta", {"delta": delta}) for delta in deltas]
    return [*pieces, ("contentBlockStop", {})]


def _usage(usage: Payload) -> Usage:
    return Usage(
        input_tokens=_count(usage, "inputTokens"),
        output_tokens=_count(usage, "outputTokens"),
        cache_read_input_tokens=_count(usage, "cacheReadInputTokens"),
        cache_creation_input_tokens=_count(usage, "cacheWriteInputTokens"),
    )


def _count(usage: Payload, name: str) -> int:
    value = usage.get(name)
    return value if isinstance(value, int) and value >= 0 else 0


def _object(payload: Payload, name: str) -> Payload:
    value = payload.get(name)
    return value if isinstance(value, Mapping) else {}


def _unknown(what: object) -> UpstreamFailed:
    names = ", ".join(sorted(map(str, what))) if isinstance(what, Mapping) else type(what).__name__
    return UpstreamFailed(f"The upstream sent content of a kind that has no place in a message: {names[:100]}")

"""Pieces of replies as ConverseStream sends them, and what comes of them."""

from collections.abc import Mapping, Sequence

from megallm.messages.events import (
    Event,
    Reply,
    Usage,
)
from megallm.messages.fold import fold
from megallm.providers.bedrock.converse.stream import ConverseStream, Expected

from .asking import counting_ids
from .frames import Event as Sent

ESTIMATE = Usage(input_tokens=9, output_tokens=9)
TOLD = {"inputTokens": 12, "outputTokens": 5, "totalTokens": 17}
USAGE = Usage(input_tokens=12, output_tokens=5)
METADATA: Sent = ("metadata", {"usage": TOLD, "metrics": {"latencyMs": 7}})


def expected(**more: object) -> Expected:
    """What a plain request says of its reply."""
    defaults: dict[str, object] = {
        "new_tool_id": counting_ids(),
        "sign": lambda text: f"signed {text}",
        "tool_names": {},
    }
    return Expected(**{**defaults, **more})  # type: ignore[arg-type]  # fields of any type


def delta(index: int, content: Mapping[str, object]) -> Sent:
    """A piece of a block."""
    return ("contentBlockDelta", {"contentBlockIndex": index, "delta": content})


def call(index: int, identifier: object = "t1", name: str = "get_weather") -> Sent:
    """The beginning of a call."""
    start = {"toolUse": {"toolUseId": identifier, "name": name}}
    return ("contentBlockStart", {"contentBlockIndex": index, "start": start})


def stop(index: int) -> Sent:
    """The end of a block."""
    return ("contentBlockStop", {"contentBlockIndex": index})


def ended(reason: str) -> list[Sent]:
    """The end of a reply."""
    return [("messageStop", {"stopReason": reason}), METADATA]


def events_of(sent: Sequence[Sent], wanted: Expected | None = None) -> list[Event]:
    """All events of a reply that begins as every one does."""
    stream = ConverseStream(wanted or expected())
    events = stream.feed("messageStart", {"role": "assistant"})
    for name, payload in sent:
        events += stream.feed(name, payload)
    return events + stream.finish(ESTIMATE)


def reply_of(sent: Sequence[Sent], wanted: Expected | None = None) -> Reply:
    """The same, folded."""
    return fold(events_of(sent, wanted))

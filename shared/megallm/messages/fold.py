"""Folds the events of a reply into the reply: what a client of the stream ends up with."""

from collections.abc import Iterable
from typing import assert_never

from pydantic_core import from_json

from megallm.errors import UpstreamFailed
from megallm.messages.events import (
    BlockStart,
    BlockStop,
    Event,
    InputJsonDelta,
    JsonObject,
    MessageDelta,
    MessageStart,
    MessageStop,
    Reply,
    SignatureDelta,
    TextDelta,
    ThinkingDelta,
)


def fold(events: Iterable[Event]) -> Reply:
    """The whole reply. Raises UpstreamFailed where the events stop before message_stop.

    The input of a tool call that max_tokens cut is what the official SDKs make of it: the part that arrived.
    """
    content: list[JsonObject] = []
    start: JsonObject = {}
    parts: list[str] = []
    signature = ""
    end: MessageDelta | None = None
    whole = False
    for event in events:
        match event:
            case TextDelta(text=piece) | InputJsonDelta(partial_json=piece) | ThinkingDelta(thinking=piece):
                parts.append(piece)
            case SignatureDelta():
                signature = event.signature
            case BlockStart():
                start, parts, signature = event.block, [], ""
            case BlockStop():
                content.append(_block(start, "".join(parts), signature))
            case MessageDelta():
                end = event
            case MessageStop():
                whole = True
            case MessageStart():
                pass
            case _:
                assert_never(event)
    if end is None or not whole:
        raise UpstreamFailed("The upstream ended before its reply was whole")
    return Reply(tuple(content), end.stop_reason, end.usage, end.stop_sequence, end.stop_details)


def _block(start: JsonObject, joined: str, signature: str) -> JsonObject:
    match start.get("type"):
        case "text":
            return {**start, "text": joined}
        case "thinking":
            return {**start, "thinking": joined, "signature": signature}
        case "tool_use" | "server_tool_use":
            return {**start, "input": _input(joined)}
        case _:
            return start


def _input(text: str) -> object:
    # Partial: the builder lets half a JSON text pass only where the reply was cut.
    return from_json(text, allow_partial=True) if text.strip() else {}

"""A whole reply, or the rest of one, as the events of a stream: for replies that were there before they could be shown.

Pure.
"""

from dataclasses import replace

from pydantic_core import to_json

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

_WITH_INPUT = ("tool_use", "server_tool_use")
# What of a message is told by the events themselves.
_TOLD_ANYWAY = frozenset(
    {"id", "type", "role", "model", "content", "stop_reason", "stop_sequence", "stop_details", "usage"}
)


def events_of(reply: Reply) -> list[Event]:
    """The events that fold to the reply: text, thinking and input each in one piece, other blocks as they are."""
    # Output is counted at the end, as in any stream.
    start = MessageStart(replace(reply.usage, output_tokens=0, thinking_tokens=0))
    return [start, *rest_of(reply, start, 0)]


def rest_of(reply: Reply, start: MessageStart, blocks: int) -> list[Event]:
    """The same without *start* and the first *blocks* content blocks, which were shown before.

    What only an upstream of our own format says of the whole message stands in message_delta, if *start* did not tell.
    """
    events: list[Event] = []
    for index, block in enumerate(reply.content):
        if index >= blocks:
            events += [*block_events(index, block), BlockStop(index)]
    native = {
        name: value
        for name, value in (reply.native or {}).items()
        if name not in _TOLD_ANYWAY and (start.native or {}).get(name) != value
    }
    end = MessageDelta(reply.stop_reason, reply.usage, reply.stop_sequence, reply.stop_details, native or None)
    return [*events, end, MessageStop()]


def block_events(index: int, block: JsonObject) -> list[Event]:
    """The events of one whole block, but for its end."""
    match block.get("type"):
        case "text":
            return [BlockStart(index, {**block, "text": ""}), TextDelta(index, str(block["text"]))]
        case "thinking":
            return [
                BlockStart(index, {**block, "thinking": "", "signature": ""}),
                ThinkingDelta(index, str(block["thinking"])),
                SignatureDelta(index, str(block["signature"])),
            ]
        case kind if kind in _WITH_INPUT:
            input_json = to_json(block["input"]).decode()
            return [BlockStart(index, {**block, "input": {}}), InputJsonDelta(index, input_json)]
        case _:
            return [BlockStart(index, block)]

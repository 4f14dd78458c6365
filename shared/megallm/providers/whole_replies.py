"""A whole reply as the events of a stream: for replies that could be judged only when they were whole. Pure."""

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

_AT_THE_END = ("stop_details",)  # what of a message tells how it ended; message_delta says it
_WITH_INPUT = ("tool_use", "server_tool_use")


def events_of(reply: Reply) -> list[Event]:
    """The events that fold to the reply: text, thinking and input each in one piece, other blocks as they are.

    A native message's own fields ride along with message_start.
    """
    native = reply.native
    if native is not None:
        native = {name: value for name, value in native.items() if name not in _AT_THE_END}
    # Output is counted at the end, as in any stream.
    events: list[Event] = [MessageStart(replace(reply.usage, output_tokens=0, thinking_tokens=0), native)]
    for index, block in enumerate(reply.content):
        events += [*_begun(index, block), BlockStop(index)]
    end = MessageDelta(reply.stop_reason, reply.usage, reply.stop_sequence, reply.stop_details)
    return [*events, end, MessageStop()]


def _begun(index: int, block: JsonObject) -> list[Event]:
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

"""A whole reply as the events of a stream: for replies that could be judged only when they were whole."""

from pydantic_core import to_json

from megallm.messages.builder import BlockBuilder
from megallm.messages.events import Event, Reply, Usage


def events_of(reply: Reply) -> list[Event]:
    """The events that fold to the reply: text, thinking and input each in one piece."""
    builder = BlockBuilder()
    # Output is counted at the end, as in any stream.
    usage = reply.usage
    events = builder.start(
        Usage(
            input_tokens=usage.input_tokens,
            cache_read_input_tokens=usage.cache_read_input_tokens,
            cache_creation_input_tokens=usage.cache_creation_input_tokens,
        )
    )
    for number, block in enumerate(reply.content):
        match block.get("type"):
            case "thinking":
                events += builder.thinking(str(block["thinking"]))
                events += builder.signature(str(block["signature"]))
            case "tool_use":
                events += builder.tool_call(number, str(block["id"]), str(block["name"]))
                events += builder.tool_input(number, to_json(block["input"]).decode())
            case _:
                events += builder.text(str(block["text"]))
    return events + builder.finish(
        reply.stop_reason, usage, stop_sequence=reply.stop_sequence, stop_details=reply.stop_details
    )

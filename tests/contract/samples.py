"""Requests and scripts that several contract tests share."""

from typing import Any

from megallm.messages.builder import BlockBuilder
from megallm.messages.events import Event, Usage

Json = Any  # what goes over the wire

HELLO: dict[str, Json] = {
    "model": "claude-test",
    "max_tokens": 100,
    "messages": [{"role": "user", "content": "Hello, Claude!"}],
}

TOOL: Json = {
    "name": "get_weather",
    "description": "Get weather for a location",
    "input_schema": {"type": "object", "properties": {"location": {"type": "string"}}, "required": ["location"]},
}


def usage_on_wire(input_tokens: int, output_tokens: int) -> Json:
    """Both spellings of usage, without a cache."""
    return started_usage_on_wire(input_tokens) | {
        "output_tokens": output_tokens,
        "prompt_tokens": input_tokens,
        "completion_tokens": output_tokens,
        "total_tokens": input_tokens + output_tokens,
    }


def started_usage_on_wire(input_tokens: int) -> Json:
    """What message_start says of it: Anthropic's spelling, which every SDK puts right from message_delta."""
    return {
        "input_tokens": input_tokens,
        "cache_creation_input_tokens": 0,
        "cache_read_input_tokens": 0,
        "output_tokens": 0,
    }


def interleaved_tool_calls() -> list[Event]:
    """Thinking, text, then two tool calls whose pieces come interleaved, then text again."""
    builder = BlockBuilder()
    events = builder.start(Usage(input_tokens=7))
    events += builder.thinking("Two cities") + builder.thinking(".") + builder.signature("c2lnbmVk")
    events += builder.text("I look.")
    events += builder.tool_call("a", "toolu_a", "get_weather") + builder.tool_input("a", '{"location": ')
    events += builder.tool_call("b", "toolu_b", "get_weather") + builder.tool_input("b", '{"location": "Rom')
    events += builder.tool_input("a", '"Paris"}') + builder.tool_input("b", 'e"}')
    events += builder.text("Done.")
    return events + builder.finish("tool_use", Usage(input_tokens=7, output_tokens=30))


def interleaved_content() -> list[Json]:
    """What a client ends up with after ``interleaved_tool_calls``."""
    return [
        {"type": "thinking", "thinking": "Two cities.", "signature": "c2lnbmVk"},
        {"type": "text", "text": "I look."},
        {"type": "tool_use", "id": "toolu_a", "name": "get_weather", "input": {"location": "Paris"}},
        {"type": "tool_use", "id": "toolu_b", "name": "get_weather", "input": {"location": "Rome"}},
        {"type": "text", "text": "Done."},
    ]

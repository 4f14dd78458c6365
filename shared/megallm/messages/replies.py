"""Replies and usage as they go over the wire: ``Message`` of the SDKs, plus what our documentation adds."""

from collections.abc import Mapping

from megallm.messages.events import MessageDelta, MessageStart, Reply, Usage


def reply_to_wire(reply: Reply, message_id: str, model: str) -> dict[str, object]:
    """The body of a successful ``POST /v1/messages``. *model* is the id that the client sent."""
    message: dict[str, object] = {
        **(reply.native or {}),
        "id": message_id,
        "type": "message",
        "role": "assistant",
        "model": model,
        "content": reply.content,
        "stop_reason": reply.stop_reason,
        "stop_sequence": reply.stop_sequence,
        "usage": usage_to_wire(reply.usage),
    }
    if reply.stop_details is not None:
        message["stop_details"] = reply.stop_details
    return message


def message_start_to_wire(message_id: str, model: str, start: MessageStart) -> dict[str, object]:
    """The first event of a stream: the message with everything still open.

    Its usage has Anthropic's names alone. The SDKs put these right by message_delta's, which has all; what they do
    not know they would keep as it is here, where the input may be an estimate and the output is none.
    """
    return {
        "type": "message_start",
        "message": {
            **(start.native or {}),
            "id": message_id,
            "type": "message",
            "role": "assistant",
            "model": model,
            "content": [],
            "stop_reason": None,
            "stop_sequence": None,
            "usage": _anthropic_usage(start.usage),
        },
    }


def message_delta_to_wire(event: MessageDelta) -> dict[str, object]:
    """The event that tells why the reply ended, and what it used."""
    native = event.native or {}
    native_delta = native.get("delta")
    delta: dict[str, object] = {
        **(native_delta if isinstance(native_delta, dict) else {}),
        "stop_reason": event.stop_reason,
        "stop_sequence": event.stop_sequence,
    }
    if event.stop_details is not None:
        delta["stop_details"] = event.stop_details
    return {**native, "type": "message_delta", "delta": delta, "usage": usage_to_wire(event.usage)}


def usage_to_wire(usage: Usage) -> Mapping[str, object]:
    """Anthropic's names, and the three of the MegaLLM documentation, which count cached input too."""
    return _anthropic_usage(usage) | {
        "prompt_tokens": usage.prompt_tokens,
        "completion_tokens": usage.output_tokens,
        "total_tokens": usage.prompt_tokens + usage.output_tokens,
    }


def _anthropic_usage(usage: Usage) -> dict[str, object]:
    wire: dict[str, object] = {
        **(usage.native or {}),
        "input_tokens": usage.input_tokens,
        "cache_creation_input_tokens": usage.cache_creation_input_tokens,
        "cache_read_input_tokens": usage.cache_read_input_tokens,
        "output_tokens": usage.output_tokens,
    }
    if usage.thinking_tokens:
        wire["output_tokens_details"] = {"thinking_tokens": usage.thinking_tokens}
    return wire

"""A reply of a few words in the dialect of whoever is asked: what a good upstream says to any request."""

from base64 import b64encode
from typing import Any

from pydantic_core import from_json, to_json

from tests.contract.upstreams import aws_frames

Json = Any  # what goes over the wire

# It also is JSON, of the one schema that the requests ask for.
TEXT = '{"place": "Rome"}'
_EVENT_STREAM = "application/vnd.amazon.eventstream"


def reply(url: str, body: bytes) -> tuple[str, bytes]:
    """Content type and body."""
    operation = url.rpartition("/")[2]
    match operation:
        case "invoke-with-response-stream":
            chunks = (to_json({"bytes": b64encode(to_json(event)).decode()}) for event in _message_events())
            return _EVENT_STREAM, b"".join(aws_frames.event("chunk", chunk) for chunk in chunks)
        case "converse-stream":
            return _EVENT_STREAM, b"".join(aws_frames.event(kind, to_json(payload)) for kind, payload in _converse())
        case "converse":
            message = {"role": "assistant", "content": [{"text": TEXT}]}
            return "application/json", to_json(
                {"output": {"message": message}, "stopReason": "end_turn", "usage": _converse()[-1][1]["usage"]}
            )
        case "count_tokens":
            return "application/json", to_json({"input_tokens": 7})
        case "count-tokens":
            return "application/json", to_json({"inputTokens": 7})
        case "invoke":
            return "application/json", to_json(_message(TEXT))
    streams = from_json(body).get("stream") is True
    if operation == "messages":
        return _sse(_message_events()) if streams else ("application/json", to_json(_message(TEXT)))
    return _sse(_chunks()) if streams else ("application/json", to_json(_completion()))


def _sse(events: list[Json]) -> tuple[str, bytes]:
    frames = (f"event: {event['type']}\n" if "type" in event else "" for event in events)
    return "text/event-stream", b"".join(
        name.encode() + b"data: " + to_json(event) + b"\n\n" for name, event in zip(frames, events, strict=True)
    )


def _message(text: str | None) -> Json:
    return {
        "id": "msg_upstream",
        "type": "message",
        "role": "assistant",
        "model": "claude-upstream",
        "content": [] if text is None else [{"type": "text", "text": text}],
        "stop_reason": None if text is None else "end_turn",
        "stop_sequence": None,
        "usage": {"input_tokens": 3, "output_tokens": 5},
    }


def _message_events() -> list[Json]:
    return [
        {"type": "message_start", "message": _message(None)},
        {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}},
        {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": TEXT}},
        {"type": "content_block_stop", "index": 0},
        {
            "type": "message_delta",
            "delta": {"stop_reason": "end_turn", "stop_sequence": None},
            "usage": {"output_tokens": 5},
        },
        {"type": "message_stop"},
    ]


def _converse() -> list[tuple[str, Json]]:
    return [
        ("messageStart", {"role": "assistant"}),
        ("contentBlockDelta", {"contentBlockIndex": 0, "delta": {"text": TEXT}}),
        ("contentBlockStop", {"contentBlockIndex": 0}),
        ("messageStop", {"stopReason": "end_turn"}),
        ("metadata", {"usage": {"inputTokens": 3, "outputTokens": 5, "totalTokens": 8}}),
    ]


def _completion() -> Json:
    choice = {"index": 0, "message": {"role": "assistant", "content": TEXT}, "finish_reason": "stop"}
    return {"id": "c", "object": "chat.completion", "choices": [choice], "usage": _CHAT_USAGE}


def _chunks() -> list[Json]:
    chunk = {"id": "c", "object": "chat.completion.chunk"}
    return [
        {**chunk, "choices": [{"index": 0, "delta": {"role": "assistant", "content": TEXT}, "finish_reason": None}]},
        {**chunk, "choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]},
        {**chunk, "choices": [], "usage": _CHAT_USAGE},
    ]


_CHAT_USAGE = {"prompt_tokens": 3, "completion_tokens": 5, "total_tokens": 8}

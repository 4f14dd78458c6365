"""The dialect of the Messages API."""

from collections.abc import Sequence

from pydantic_core import from_json, to_json

from tests.contract.upstreams.dialect import (
    ARGUMENT_PARTS,
    CONTENT,
    INPUT_TOKENS,
    OUTPUT_TOKENS,
    STOP_REASON,
    Json,
    Refusal,
    sse,
)
from tests.contract.upstreams.http_bytes import whole
from tests.contract.upstreams.listener import Received, Script


class Messages:
    """The Messages API."""

    name = "messages"
    stream_type = "text/event-stream; charset=utf-8"
    whole_after = 12

    def wants_stream(self, received: Received) -> bool:
        return from_json(received.body).get("stream") is True

    def body(self) -> bytes:
        return to_json({**_MESSAGE, "content": CONTENT, "stop_reason": STOP_REASON, "usage": _USAGE})

    def frames(self) -> Sequence[bytes]:
        return [sse(event, event["type"]) for event in message_events()]

    def text_frame(self, text: str) -> bytes:
        event = text_event(text)
        return sse(event, event["type"])

    def idle_frame(self) -> bytes:
        return b": keep-alive\n\n"

    def error_frame(self) -> bytes:
        return sse(error_event("api_error", "the upstream's own words"), "error")

    def refuse(self, refusal: Refusal) -> Script:
        body = to_json(error_event(refusal.kind, refusal.message))
        return whole(refusal.status, body, headers={"request-id": "req_of_the_upstream", **refusal.headers})

    def too_long(self) -> Refusal:
        return Refusal(400, "invalid_request_error", "prompt is too long: 210001 tokens > 200000 maximum")


_MESSAGE: Json = {
    "id": "msg_of_the_upstream",
    "type": "message",
    "role": "assistant",
    "model": "claude-upstream",
    "content": [],
    "stop_reason": None,
    "stop_sequence": None,
}
_USAGE = {"input_tokens": INPUT_TOKENS, "output_tokens": OUTPUT_TOKENS}


def message_events() -> list[Json]:
    """The good reply as events of the Messages API."""
    text, call = {"type": "text", "text": ""}, {**CONTENT[1], "input": {}}
    return [
        {"type": "message_start", "message": {**_MESSAGE, "usage": {"input_tokens": INPUT_TOKENS, "output_tokens": 1}}},
        {"type": "content_block_start", "index": 0, "content_block": text},
        {"type": "ping"},
        *(text_event(piece) for piece in ("Hello", ", world")),
        {"type": "content_block_stop", "index": 0},
        {"type": "content_block_start", "index": 1, "content_block": call},
        *(
            {"type": "content_block_delta", "index": 1, "delta": {"type": "input_json_delta", "partial_json": part}}
            for part in ARGUMENT_PARTS
        ),
        {"type": "content_block_stop", "index": 1},
        {
            "type": "message_delta",
            "delta": {"stop_reason": STOP_REASON, "stop_sequence": None},
            "usage": {"output_tokens": OUTPUT_TOKENS},
        },
        {"type": "message_stop"},
    ]


def text_event(text: str) -> Json:
    """More text of the first block."""
    return {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": text}}


def error_event(kind: str, message: str) -> Json:
    """An error of the Messages API."""
    return {"type": "error", "error": {"type": kind, "message": message}, "request_id": "req_of_the_upstream"}

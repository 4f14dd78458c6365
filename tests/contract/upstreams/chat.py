"""The dialect of chat completions."""

from collections.abc import Sequence

from pydantic_core import from_json, to_json

from tests.contract.upstreams.dialect import (
    ARGUMENT_PARTS,
    INPUT_TOKENS,
    OUTPUT_TOKENS,
    TOOL_ID,
    Json,
    Refusal,
    sse,
)
from tests.contract.upstreams.http_bytes import whole
from tests.contract.upstreams.listener import Received, Script


class Chat:
    """Chat completions, as OpenAI's API reference describes them."""

    name = "chat"
    stream_type = "text/event-stream; charset=utf-8"
    whole_after = 7

    def wants_stream(self, received: Received) -> bool:
        return from_json(received.body).get("stream") is True

    def body(self) -> bytes:
        call = {
            "id": TOOL_ID,
            "type": "function",
            "function": {"name": "get_weather", "arguments": "".join(ARGUMENT_PARTS)},
        }
        message = {"role": "assistant", "content": "Hello, world", "tool_calls": [call], "refusal": None}
        choice = {"index": 0, "message": message, "finish_reason": "tool_calls", "logprobs": None}
        return to_json({**_COMPLETION, "object": "chat.completion", "choices": [choice], "usage": _CHAT_USAGE})

    def frames(self) -> Sequence[bytes]:
        opened = {"index": 0, "id": TOOL_ID, "type": "function", "function": {"name": "get_weather", "arguments": ""}}
        return [
            self._delta({"role": "assistant", "content": ""}),
            self._delta({"content": "Hello"}),
            self._delta({"content": ", world"}),
            self._delta({"tool_calls": [opened]}),
            *(self._delta({"tool_calls": [{"index": 0, "function": {"arguments": part}}]}) for part in ARGUMENT_PARTS),
            self._delta({}, "tool_calls"),
            sse({**_COMPLETION, "object": "chat.completion.chunk", "choices": [], "usage": _CHAT_USAGE}),
            b"data: [DONE]\n\n",
        ]

    def text_frame(self, text: str) -> bytes:
        return self._delta({"content": text})

    def idle_frame(self) -> bytes:
        return b": keep-alive\n\n"

    def error_frame(self) -> bytes:
        error = {"message": "the upstream's own words", "type": "server_error", "param": None, "code": None}
        return sse({"error": error})

    def refuse(self, refusal: Refusal) -> Script:
        error = {"message": refusal.message, "type": refusal.kind, "param": None, "code": None}
        return whole(refusal.status, to_json({"error": error}), headers=refusal.headers)

    def too_long(self) -> Refusal:
        message = (
            "This model's maximum context length is 128000 tokens. However, your messages resulted in 130001 tokens. "
            "Please reduce the length of the messages."
        )
        return Refusal(400, "invalid_request_error", message)

    def _delta(self, delta: Json, finish_reason: str | None = None) -> bytes:
        choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish_reason}
        return sse({**_COMPLETION, "object": "chat.completion.chunk", "choices": [choice], "usage": None})


_ARGUMENTS = "".join(ARGUMENT_PARTS)
_COMPLETION = {"id": "chatcmpl-1", "created": 1_790_000_000, "model": "gpt-upstream"}
_CHAT_USAGE = {
    "prompt_tokens": INPUT_TOKENS,
    "completion_tokens": OUTPUT_TOKENS,
    "total_tokens": INPUT_TOKENS + OUTPUT_TOKENS,
}

"""The dialects of Amazon Bedrock: InvokeModel with Claude's bodies, and Converse; streams come in AWS's frames."""

from base64 import b64encode
from collections.abc import Sequence

from pydantic_core import to_json

from tests.contract.upstreams import aws_frames
from tests.contract.upstreams.dialect import (
    ARGUMENT_PARTS,
    INPUT_TOKENS,
    OUTPUT_TOKENS,
    STOP_REASON,
    TOOL_ID,
    Json,
    Refusal,
)
from tests.contract.upstreams.http_bytes import whole
from tests.contract.upstreams.listener import Received, Script
from tests.contract.upstreams.messages import Messages, message_events, text_event


class Invoke:
    """Bedrock's InvokeModel with a Claude model: bodies of the Messages API, streams in AWS's frames."""

    name = "invoke"
    stream_type = "application/vnd.amazon.eventstream"
    whole_after = 12

    def wants_stream(self, received: Received) -> bool:
        return received.target.endswith("/invoke-with-response-stream")

    def body(self) -> bytes:
        return Messages().body()

    def frames(self) -> Sequence[bytes]:
        *before, stop = message_events()
        metrics = {"inputTokenCount": INPUT_TOKENS, "outputTokenCount": OUTPUT_TOKENS}
        return [_bytes_chunk(event) for event in (*before, {**stop, "amazon-bedrock-invocationMetrics": metrics})]

    def text_frame(self, text: str) -> bytes:
        return _bytes_chunk(text_event(text))

    def idle_frame(self) -> bytes:
        return _bytes_chunk({"type": "ping"})

    def error_frame(self) -> bytes:
        return aws_frames.exception("internalServerException", to_json({"message": "the upstream's own words"}))

    def refuse(self, refusal: Refusal) -> Script:
        return _aws_refusal(refusal)

    def too_long(self) -> Refusal:
        return Refusal(400, "ValidationException", "prompt is too long: 210001 tokens > 200000 maximum")


class Converse:
    """Bedrock's Converse."""

    name = "converse"
    stream_type = "application/vnd.amazon.eventstream"
    whole_after = 9

    def wants_stream(self, received: Received) -> bool:
        return received.target.endswith("/converse-stream")

    def body(self) -> bytes:
        call = {"toolUse": {"toolUseId": TOOL_ID, "name": "get_weather", "input": {"location": "Paris"}}}
        return to_json(
            {
                "output": {"message": {"role": "assistant", "content": [{"text": "Hello, world"}, call]}},
                "stopReason": STOP_REASON,
                "usage": _CONVERSE_USAGE,
                "metrics": {"latencyMs": 5},
            }
        )

    def frames(self) -> Sequence[bytes]:
        call = {"toolUse": {"toolUseId": TOOL_ID, "name": "get_weather"}}
        return [
            _event("messageStart", {"role": "assistant"}),
            self.text_frame("Hello"),
            self.text_frame(", world"),
            _event("contentBlockStop", {"contentBlockIndex": 0}),
            _event("contentBlockStart", {"contentBlockIndex": 1, "start": call}),
            *(
                _event("contentBlockDelta", {"contentBlockIndex": 1, "delta": {"toolUse": {"input": part}}})
                for part in ARGUMENT_PARTS
            ),
            _event("contentBlockStop", {"contentBlockIndex": 1}),
            _event("messageStop", {"stopReason": STOP_REASON}),
            _event("metadata", {"usage": _CONVERSE_USAGE, "metrics": {"latencyMs": 5}}),
        ]

    def text_frame(self, text: str) -> bytes:
        return _event("contentBlockDelta", {"contentBlockIndex": 0, "delta": {"text": text}})

    def idle_frame(self) -> bytes:
        return _event("anEventOfTomorrow", {"says": "nothing"})

    def error_frame(self) -> bytes:
        return aws_frames.exception("internalServerException", to_json({"message": "the upstream's own words"}))

    def refuse(self, refusal: Refusal) -> Script:
        return _aws_refusal(refusal)

    def too_long(self) -> Refusal:
        message = "The model returned the following errors: Input is too long for requested model."
        return Refusal(400, "ValidationException", message)


_CONVERSE_USAGE = {
    "inputTokens": INPUT_TOKENS,
    "outputTokens": OUTPUT_TOKENS,
    "totalTokens": INPUT_TOKENS + OUTPUT_TOKENS,
}


def _event(kind: str, payload: Json) -> bytes:
    # "p" is padding of a length of AWS's choosing, against guessing text from the size of frames.
    return aws_frames.event(kind, to_json({**payload, "p": "abcdef"}))


def _bytes_chunk(payload: Json) -> bytes:
    return _event("chunk", {"bytes": b64encode(to_json(payload)).decode()})


def _aws_refusal(refusal: Refusal) -> Script:
    headers = {"x-amzn-requestid": "of-the-upstream", "x-amzn-errortype": f"{refusal.kind}:", **refusal.headers}
    return whole(refusal.status, to_json({"message": refusal.message}), headers=headers)

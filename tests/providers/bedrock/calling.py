"""Replies of a Bedrock that is well, and short ways to call a provider that asks it."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from contextlib import aclosing
from typing import TypeVar

from pydantic_core import to_json

from megallm.messages.calls import Call
from megallm.messages.events import StreamEvent
from megallm.messages.requests import MessagesRequest
from megallm.providers.bedrock.provider import BedrockProvider

from .asking import call_of
from .fake_bedrock import Answer, FakeBedrock, Received, Respond, bedrock
from .frames import Event, converse_frames, invoke_frames

ResultT = TypeVar("ResultT")
MESSAGE: dict[str, object] = {
    "id": "msg_bdrk_1",
    "type": "message",
    "role": "assistant",
    "model": "claude-opus-5-5",
    "content": [{"type": "text", "text": "Hi"}],
    "stop_reason": "end_turn",
    "stop_sequence": None,
    "usage": {"input_tokens": 9, "output_tokens": 2},
}
INVOKED: list[Mapping[str, object]] = [
    {"type": "message_start", "message": {**MESSAGE, "content": [], "usage": {"input_tokens": 9, "output_tokens": 1}}},
    {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}},
    {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "Hi"}},
    {"type": "content_block_stop", "index": 0},
    {
        "type": "message_delta",
        "delta": {"stop_reason": "end_turn", "stop_sequence": None},
        "usage": {"output_tokens": 2},
    },
    {"type": "message_stop", "amazon-bedrock-invocationMetrics": {"inputTokenCount": 9}},
]
TOLD = {"inputTokens": 9, "outputTokens": 2, "totalTokens": 11}
CONVERSED: dict[str, object] = {
    "output": {"message": {"role": "assistant", "content": [{"text": "Hi"}]}},
    "stopReason": "end_turn",
    "usage": TOLD,
    "metrics": {"latencyMs": 7},
}
PIECES: list[Event] = [
    ("messageStart", {"role": "assistant"}),
    ("contentBlockDelta", {"contentBlockIndex": 0, "delta": {"text": "Hi"}}),
    ("contentBlockStop", {"contentBlockIndex": 0}),
    ("messageStop", {"stopReason": "end_turn"}),
    ("metadata", {"usage": TOLD, "metrics": {"latencyMs": 7}}),
]
TEXT = ({"type": "text", "text": "Hi"},)
EVERYTHING = {
    "invoke": to_json({**MESSAGE, "amazon-bedrock-guardrailAction": "NONE"}),
    "invoke-with-response-stream": invoke_frames(INVOKED),
    "converse": to_json(CONVERSED),
    "converse-stream": converse_frames(PIECES),
    "count-tokens": b'{"inputTokens":17}',
}


def answering(received: Received) -> Answer:
    """What a Bedrock does that is well."""
    return Answer([EVERYTHING[received.path.rpartition("/")[2]]])


def run(respond: Respond, act: Callable[[FakeBedrock, BedrockProvider], Awaitable[ResultT]]) -> ResultT:
    """What comes of it."""

    async def main() -> ResultT:
        async with bedrock(respond) as (server, provider):
            return await act(server, provider)

    return asyncio.run(main())


async def collect(events: AsyncGenerator[StreamEvent, None]) -> list[StreamEvent]:
    """All of them."""
    async with aclosing(events):
        return [event async for event in events]


def claude(content: object = "Hello", **more: object) -> Call[MessagesRequest]:
    """A call by InvokeModel."""
    return call_of(content, table="bedrock", **more)  # type: ignore[arg-type]  # fields of any type

"""Replies with a value that has to follow a schema, in each way that Bedrock sends them, and how they are asked for."""

import asyncio
from collections.abc import AsyncGenerator, Callable, Iterable, Mapping
from contextlib import aclosing

import pytest
from pydantic_core import from_json, to_json

from megallm.errors import GatewayError
from megallm.messages.calls import Call
from megallm.messages.events import (
    Event,
    Relayed,
    Reply,
    StreamEvent,
    Usage,
)
from megallm.messages.fold import fold
from megallm.messages.requests import MessagesRequest
from megallm.providers.bedrock.converse.tools import OUTPUT_TOOL

from .asking import call_of
from .fake_bedrock import Answer, Received, bedrock
from .frames import converse_frames, invoke_frames

SCHEMA = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
GOOD, BAD = {"city": "Paris"}, {"city": 7}
COMPLAINT = (
    "This does not follow the JSON Schema: ['city']: 7 is not of type \"string\"\n"
    "Answer again: the right JSON and nothing else."
)
TEXT = ({"type": "text", "text": '{"city":"Paris"}'},)


def claude(**more: object) -> Call[MessagesRequest]:
    """By InvokeModel, told in words."""
    wanted = {"format": {"type": "json_schema", "schema": SCHEMA}}
    return call_of("Where?", table="bedrock", output_config=wanted, **more)  # type: ignore[arg-type]  # of any type


def nova(**more: object) -> Call[MessagesRequest]:
    """By Converse, as the input of a tool."""
    wanted = {"format": {"type": "json_schema", "schema": SCHEMA}}
    takes = {"fields": {"tool_choice.tool": "pass"}}
    return call_of("Where?", takes=takes, output_config=wanted, **more)  # type: ignore[arg-type]  # of any type


def said(received: Received, value: object, reason: str = "end_turn", words: str | None = None) -> Answer:
    """A reply with this value, in the way in which it was asked for; or with these words in its place."""
    match received.path.rpartition("/")[2]:
        case "invoke":
            message = {
                "id": "msg_bdrk_1",
                "type": "message",
                "role": "assistant",
                "content": [{"type": "text", "text": words or f"```json\n{to_json(value).decode()}\n```"}],
                "stop_reason": reason,
                "usage": {"input_tokens": 9, "output_tokens": 2},
                "context_management": {"applied_edits": []},
            }
            return Answer([to_json(message)])
        case "invoke-with-response-stream":
            return Answer([relayed(words or f"```json\n{to_json(value).decode()}\n```", reason)])
        case "converse":
            call = {"toolUse": {"toolUseId": "t1", "name": OUTPUT_TOOL, "input": value}}
            return Answer(
                [
                    to_json(
                        {
                            "output": {
                                "message": {"role": "assistant", "content": [{"text": words} if words else call]}
                            },
                            "stopReason": reason,
                            "usage": {"inputTokens": 9, "outputTokens": 2},
                        }
                    )
                ]
            )
        case _:
            return Answer([streamed(value, reason, words)])


def relayed(words: str, reason: str = "end_turn") -> bytes:
    """The same as InvokeModelWithResponseStream's events."""
    start = {"id": "msg_bdrk_1", "type": "message", "content": [], "usage": {"input_tokens": 9, "output_tokens": 1}}
    return invoke_frames(
        [
            {"type": "message_start", "message": start},
            {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}},
            {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": words}},
            {"type": "content_block_stop", "index": 0},
            {
                "type": "message_delta",
                "delta": {"stop_reason": reason, "stop_sequence": None},
                "usage": {"output_tokens": 2},
                "context_management": {"applied_edits": []},
            },
            {"type": "message_stop"},
        ]
    )


def streamed(value: object, reason: str = "end_turn", words: str | None = None) -> bytes:
    """The same as ConverseStream's events."""
    start = {"toolUse": {"toolUseId": "t1", "name": OUTPUT_TOOL}}
    called: list[tuple[str, Mapping[str, object]]] = [
        ("contentBlockStart", {"contentBlockIndex": 0, "start": start}),
        ("contentBlockDelta", {"contentBlockIndex": 0, "delta": {"toolUse": {"input": to_json(value).decode()}}}),
    ]
    if words:
        called = [("contentBlockDelta", {"contentBlockIndex": 0, "delta": {"text": words}})]
    return converse_frames(
        [
            ("messageStart", {"role": "assistant"}),
            *called,
            ("contentBlockStop", {"contentBlockIndex": 0}),
            ("messageStop", {"stopReason": reason}),
            ("metadata", {"usage": {"inputTokens": 9, "outputTokens": 2}}),
        ]
    )


async def events_only(events: AsyncGenerator[StreamEvent, None]) -> list[Event]:
    """All of them; none is an unread frame."""
    async with aclosing(events):
        found = [event async for event in events]
    return [event for event in found if not isinstance(event, Relayed)]


Outcome = tuple[Reply | GatewayError, Usage | None, list[dict[str, object]]]
MAKES = pytest.mark.parametrize("make", [claude, nova])
WAYS = pytest.mark.parametrize("streaming", [False, True])


def ask(call: Call[MessagesRequest], streaming: bool, answers: Iterable[Callable[[Received], Answer]]) -> Outcome:
    """What comes of a call that is answered so, the usage at its end, and what was asked."""
    coming = iter(answers)

    async def main() -> Outcome:
        async with bedrock(lambda received: next(coming)(received)) as (server, provider):
            prepared = await provider.prepare(call)
            outcome: Reply | GatewayError
            try:
                outcome = fold(await events_only(prepared.stream())) if streaming else await prepared.create()
            except GatewayError as error:
                outcome = error
            return outcome, prepared.usage, [from_json(received.body) for received in server.received]

    return asyncio.run(main())


def value(of: object, **more: str) -> Callable[[Received], Answer]:
    """An answer with this value."""
    return lambda received: said(received, of, **more)


def seen(outcome: Reply | GatewayError) -> tuple[object, object, int, int]:
    """What a client sees of a reply."""
    assert isinstance(outcome, Reply)
    return outcome.content, outcome.stop_reason, outcome.usage.input_tokens, outcome.usage.output_tokens

"""Short ways to make calls for the Bedrock provider."""

import itertools
from collections.abc import Callable, Mapping
from dataclasses import replace

from pydantic_core import to_json

from megallm.catalog.compatibility import TakesTable, shipped
from megallm.messages.calls import Call
from megallm.messages.requests import MessagesRequest, TokenCountRequest, parse
from megallm.messages.signatures import Signer

CLAUDE = "global.anthropic.claude-opus-5-5"
NOVA = "us.amazon.nova-2-lite-v1:0"
PNG = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNkYPhfDwAChwGA60e6kgAAAABJRU5ErkJggg=="
WEATHER: dict[str, object] = {
    "name": "get_weather",
    "description": "Get the current weather in a city",
    "input_schema": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
}
CALL_TURNS: list[dict[str, object]] = [
    {"role": "user", "content": "Paris?"},
    {
        "role": "assistant",
        "content": [{"type": "tool_use", "id": "t1", "name": "get_weather", "input": {"city": "Paris"}}],
    },
]
SIGNER = Signer([b"secret"])


async def signer() -> Signer:
    """The seam's shape."""
    return SIGNER


def counting_ids() -> Callable[[], str]:
    """toolu_1, toolu_2 …"""
    numbers = itertools.count(1)
    return lambda: f"toolu_{next(numbers)}"


def words(text: str) -> int:
    """A tokenizer for tests."""
    return len(text.split())


def call_of(
    content: object = "Hello",
    *,
    table: str = "converse",
    model: str | None = None,
    takes: Mapping[str, object] | None = None,
    betas: tuple[str, ...] = (),
    max_output_tokens: int | None = None,
    context_tokens: int | None = None,
    **fields: object,
) -> Call[MessagesRequest]:
    """A call with one user message of this content, or with these messages; *takes* goes over the table."""
    are_messages = isinstance(content, list) and all("role" in entry for entry in content)
    messages = content if are_messages else [{"role": "user", "content": content}]
    body = to_json({"model": "claude-x", "max_tokens": 40, "messages": messages, **fields})
    return Call(
        parse(body, MessagesRequest),
        model or (NOVA if table == "converse" else CLAUDE),
        betas,
        body,
        takes=TakesTable.model_validate(takes or {}).takes().over(shipped(table)),
        context_tokens=context_tokens,
        max_output_tokens=max_output_tokens,
    )


def counted(call: Call[MessagesRequest]) -> Call[TokenCountRequest]:
    """The same request as the other route gets it."""
    return Call(
        parse(call.body, TokenCountRequest),
        call.upstream_model,
        call.betas,
        call.body,
        takes=call.takes,
        context_tokens=call.context_tokens,
    )


def with_takes(call: Call[MessagesRequest], **parts: Mapping[str, object]) -> Call[MessagesRequest]:
    """The call with further entries over its table."""
    return replace(call, takes=TakesTable.model_validate(parts).takes().over(call.takes))

"""Short ways to ask the embedded provider, and to look at what it would be told."""

import asyncio
import itertools
from collections.abc import Callable
from contextlib import aclosing

from megallm.messages.calls import Call
from megallm.messages.events import Event, Reply
from megallm.messages.requests import MessagesRequest
from megallm.providers.embedded.prompt import PromptTurn
from megallm.providers.embedded.provider import EmbeddedCall, EmbeddedProvider
from megallm.providers.embedded.wire import Wire, to_wire

WEATHER: dict[str, object] = {
    "name": "get_weather",
    "description": "Get the current weather in a city",
    "input_schema": {
        "type": "object",
        "properties": {"city": {"type": "string", "maxLength": 20}, "unit": {"enum": ["celsius", "fahrenheit"]}},
        "required": ["city", "unit"],
    },
}
SEARCH: dict[str, object] = {
    "name": "search_web",
    "description": "Search the web",
    "input_schema": {
        "type": "object",
        "properties": {
            "query": {"type": "string", "maxLength": 20},
            "pages": {"type": "integer", "minimum": 1, "maximum": 5},
        },
        "required": ["query", "pages"],
    },
}


def call_of(content: object = "Hello", **fields: object) -> Call[MessagesRequest]:
    """A call with one user message of this content, or with these messages; ``betas`` are no field of the body."""
    are_messages = isinstance(content, list) and all("role" in entry for entry in content)
    messages = content if are_messages else [{"role": "user", "content": content}]
    betas = fields.pop("betas", ())
    assert isinstance(betas, tuple)
    body = {"model": "claude-x", "max_tokens": 40, "messages": messages, **fields}
    return Call(MessagesRequest.model_validate(body), "tiny", betas)


def wire_of(content: object = "Hello", **fields: object) -> Wire:
    """The translated request."""
    return to_wire(call_of(content, **fields))


def told(wire: Wire) -> list[tuple[str, str]]:
    """The conversation as the model reads it."""
    return [(turn.role, _text(turn)) for turn in wire.prompt.turns]


def _text(turn: PromptTurn) -> str:
    return "".join(piece.text for piece in turn.pieces)


def prepared(provider: EmbeddedProvider, content: object = "Hello", **fields: object) -> EmbeddedCall:
    """The call, translated; inside a running loop too, since this provider has nothing to wait for."""
    try:
        provider.prepare(call_of(content, **fields)).send(None)
    except StopIteration as done:
        call: EmbeddedCall = done.value
        return call
    raise AssertionError("the embedded provider waited")


def ask(provider: EmbeddedProvider, content: object = "Hello", **fields: object) -> Reply:
    """The whole reply."""
    return asyncio.run(prepared(provider, content, **fields).create())


def stream(provider: EmbeddedProvider, content: object = "Hello", **fields: object) -> list[Event]:
    """All events of the reply."""

    async def collect() -> list[Event]:
        call = await provider.prepare(call_of(content, **fields))
        async with aclosing(call.stream()) as events:
            return [event async for event in events]

    return asyncio.run(collect())


def text_of(reply: Reply) -> str:
    """All its text."""
    return "".join(str(block["text"]) for block in reply.content if block["type"] == "text")


def counting_ids() -> Callable[[], str]:
    """toolu_1, toolu_2 …"""
    numbers = itertools.count(1)
    return lambda: f"toolu_{next(numbers)}"

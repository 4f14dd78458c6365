"""Short ways to make calls for the openai provider, and to see what would be sent."""

import itertools
from collections.abc import Callable, Mapping
from typing import Any

from pydantic_core import to_json

from megallm.catalog.compatibility import TakesTable, shipped
from megallm.messages.calls import Adaptation, Call
from megallm.messages.compatibility import EVERYTHING
from megallm.messages.requests import MessagesRequest, TokenCountRequest, parse
from megallm.messages.signatures import Signer
from megallm.providers.openai.dialect import dialect_of
from megallm.providers.openai.wire import Wire, to_wire

MODEL = "m-1"
ROUTE = f"chat/{MODEL}"
SIGNER = Signer([b"secret"])
PNG = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNkYPhfDwAChwGA60e6kgAAAABJRU5ErkJggg=="
IMAGE: dict[str, object] = {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": PNG}}
IMAGE_PART: dict[str, object] = {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{PNG}"}}
BY_URL: dict[str, object] = {"type": "image", "source": {"type": "url", "url": "https://a.invalid/x.png"}}
WEATHER: dict[str, object] = {
    "name": "get_weather",
    "description": "Get the current weather in a city",
    "input_schema": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
}
WEATHER_FUNCTION: dict[str, object] = {
    "type": "function",
    "function": {
        "name": "get_weather",
        "description": "Get the current weather in a city",
        "parameters": WEATHER["input_schema"],
    },
}
CITY: dict[str, object] = {
    "type": "object",
    "properties": {"city": {"type": "string"}},
    "required": ["city"],
    "additionalProperties": False,
}
FORMAT: dict[str, object] = {"format": {"type": "json_schema", "schema": CITY}}


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
    table: str | None = "openai",
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
    rules = TakesTable.model_validate(takes or {}).takes()
    return Call(
        parse(body, MessagesRequest),
        MODEL,
        betas,
        body,
        takes=rules.over(shipped(table) if table is not None else EVERYTHING),
        context_tokens=context_tokens,
        max_output_tokens=max_output_tokens,
    )


def counted(call: Call[MessagesRequest]) -> Call[TokenCountRequest]:
    """The same request as the other route gets it."""
    return Call(parse(call.body, TokenCountRequest), call.upstream_model, call.betas, call.body, takes=call.takes)


def wire_of(content: object = "Hello", **fields: Any) -> Wire:  # Any: what call_of takes
    """The translated request."""
    return translated(call_of(content, **fields))


def translated(call: Call[MessagesRequest], *, images: Mapping[str, str] | None = None) -> Wire:
    """The translation of a call."""
    dialect = dialect_of(call.takes.features)
    return to_wire(call, dialect, route=ROUTE, route_of=SIGNER.route_of, images=images or {})


def messages_of(content: object, **fields: Any) -> list[dict[str, object]]:
    """The chat messages of the translated request."""
    return wire_of(content, **fields).messages


def adapted(wire: Wire) -> list[tuple[str, str]]:
    """The adaptations as pairs."""
    return [(adaptation.field, adaptation.change) for adaptation in wire.adaptations]


def dropped(*fields: str) -> tuple[Adaptation, ...]:
    """Adaptations that say so."""
    return tuple(Adaptation(field, "dropped") for field in fields)


CALL: dict[str, object] = {"type": "tool_use", "id": "t1", "name": "look", "input": {"at": "é", "cache_control": 1}}
CALL_WIRE = {
    "id": "t1",
    "type": "function",
    "function": {"name": "look", "arguments": '{"at":"é","cache_control":1}'},
}
ASKED = {"role": "user", "content": "Look"}
PDF: dict[str, object] = {
    "type": "document",
    "source": {"type": "base64", "media_type": "application/pdf", "data": "aGk="},
}


def text(words: str) -> dict[str, object]:
    return {"type": "text", "text": words}


def user(*blocks: object) -> dict[str, object]:
    return {"role": "user", "content": list(blocks)}


def assistant(*blocks: object) -> dict[str, object]:
    return {"role": "assistant", "content": list(blocks)}


def result(*blocks: object, call_id: str = "t1", **fields: object) -> dict[str, object]:
    content = blocks[0] if len(blocks) == 1 and isinstance(blocks[0], str) else list(blocks)
    return {"type": "tool_result", "tool_use_id": call_id, "content": content, **fields}

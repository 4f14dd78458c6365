"""What each kind of provider really sends for a request, by its own code and a table of rules."""

import asyncio
from collections.abc import Iterator, Mapping
from typing import Any

from pydantic_core import from_json, to_json

from megallm.catalog.compatibility import TakesTable
from megallm.catalog.upstreams import Kind
from megallm.errors import InvalidRequest
from megallm.messages.caller_headers import CALLER_HEADERS
from megallm.messages.calls import Call
from megallm.messages.compatibility import Feature, Takes
from megallm.messages.native.body import native_body
from megallm.messages.requests import MessagesRequest, parse
from megallm.providers.bedrock.converse import wire as converse
from megallm.providers.bedrock.image_urls import with_images
from megallm.providers.bedrock.invoke.wire import invoke_body
from megallm.providers.openai.blocks_images import fetch_images
from megallm.providers.openai.dialect import Dialect
from megallm.providers.openai.wire import to_wire

Json = dict[str, Any]  # Any: JSON as it is sent

ARROW = "zz_target"
CONVERSE: Mapping[str, Feature] = {"api": "converse"}
SENDERS = ("anthropic", "bedrock", "converse", "openai")

REQUEST: Json = {
    "model": "m",
    "max_tokens": 9,
    "stream": False,
    "temperature": 0.5,
    "top_p": 0.5,
    "top_k": 3,
    "stop_sequences": ["x"],
    "metadata": {"user_id": "u", "other": "o"},
    "thinking": {"type": "enabled", "budget_tokens": 1024},
    "output_config": {
        "effort": "high",
        "verbosity": "low",
        "format": {"type": "json_schema", "schema": {"type": "object"}},
    },
    "system": [{"type": "text", "text": "S"}],
    "tools": [
        {
            "type": "custom",
            "name": "t",
            "description": "T",
            "input_schema": {"type": "object"},
            "strict": True,
            "cache_control": {"type": "ephemeral"},
            "eager_input_streaming": True,
        }
    ],
    "tool_choice": {"type": "any", "disable_parallel_tool_use": True},
    "service_tier": "auto",
    "speed": "fast",
    "cache_control": {"type": "ephemeral"},
    "messages": [{"role": "user", "content": [{"type": "text", "text": "Hi"}], "x_turn": 1}],
}
NAMES = (
    *MessagesRequest.model_fields,
    *("service_tier", "speed", "cache_control", "mcp_servers", "output_format"),
    *(
        f"{name}.{inner}"
        for name in ("metadata", "thinking", "output_config", "tool_choice")
        for inner in REQUEST[name]
    ),
    *(f"{name}.{inner}" for name in ("system", "tools", "messages") for inner in REQUEST[name][0]),
    *("tool_choice.any", "tool_choice.tool"),
)
# The native code would move these out of the list in which they stand, to the top of the body.
MISPLACED = {f"{outer}.{inner}" for outer in ("system", "tools", "messages") for inner in REQUEST[outer][0]}


class Pictures:
    """Has every image."""

    async def fetch(self, url: str) -> tuple[str, bytes]:
        """One and the same."""
        return "image/png", b"PNG"


def kind_of(sender: str) -> tuple[Kind, Mapping[str, Feature]]:
    match sender:
        case "converse":
            return "bedrock", CONVERSE
        case "anthropic" | "bedrock" | "openai":
            return sender, {}
        case _:
            raise ValueError(sender)


def call_of(request: Json, takes: Takes, betas: tuple[str, ...] = ()) -> Call[MessagesRequest]:
    body = to_json(request)
    headers = tuple((name, "v") for name in CALLER_HEADERS)
    return Call(parse(body, MessagesRequest), "up", betas, body, takes=takes, headers=headers)


def sent(sender: str, request: Json, takes: Takes, betas: tuple[str, ...] = ()) -> Json:
    """The body that goes upstream. Raises InvalidRequest."""
    call = call_of(request, takes, betas)
    match sender:
        case "anthropic":
            body = native_body(call, model="up").body
        case "bedrock":
            body = invoke_body(asyncio.run(with_images(call, Pictures()))).body
        case "converse":
            body = converse.to_wire(asyncio.run(with_images(call, Pictures())), lambda signature, thinking: False).body
        case _:
            dialect = Dialect(thinking_switch="reasoning_effort", efforts="low high", max_stop_sequences=4)
            images = asyncio.run(fetch_images(call.request.messages, takes, Pictures()))
            wire = to_wire(call, dialect, route="up/m", route_of=lambda signature, thinking: None, images=images)
            body = to_json(wire.body)
    payload: Json = from_json(body)
    return payload


def members(value: object) -> Iterator[str]:
    match value:
        case dict():
            yield from value
            for inner in value.values():
                yield from members(inner)
        case list():
            for inner in value:
                yield from members(inner)
        case _:
            pass


def is_sent_as(sender: str, name: str) -> bool:
    """Whether the arrow of a field does what it says."""
    request = REQUEST
    if name == "mcp_servers":
        request = {**REQUEST, "mcp_servers": [{"type": "url", "url": "https://mcp"}]}
    if name == "output_format":
        request = {key: value for key, value in REQUEST.items() if key != "output_config"}
        request["output_format"] = REQUEST["output_config"]["format"]
    try:
        body = sent(sender, request, TakesTable(fields={name: f"-> {ARROW}"}).takes())
    except InvalidRequest:
        return False
    return ARROW in members(body)

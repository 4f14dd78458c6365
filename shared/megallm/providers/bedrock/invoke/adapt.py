"""What only Bedrock does otherwise about a native body: the schema of the output, and the scope of caches. Pure."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any, TypeVar

from pydantic_core import from_json

from megallm.messages.calls import Adaptation, Call
from megallm.messages.json_text import json_text
from megallm.messages.requests import JsonSchemaFormat, TokenCountRequest, parse
from megallm.providers.judging import instruction

RequestT = TypeVar("RequestT", bound=TokenCountRequest)

Json = dict[str, Any]  # Any: JSON of the caller's making

_FORMAT = "output_config.format"


def told_format(call: Call[TokenCountRequest]) -> JsonSchemaFormat | None:
    """The format that the model is told in words, because it is held to none; None where there is no such."""
    wanted = call.request.output_config
    told = call.takes.fields.find(_FORMAT).action == "rewrite"
    return wanted.format if told and wanted is not None else None


def adapted(call: Call[RequestT]) -> tuple[Call[RequestT], tuple[Adaptation, ...]]:
    """The call with a body that Bedrock can take so far, and what had to change."""
    payload: Json = from_json(call.body)
    adaptations: list[Adaptation] = []
    changed = _join_formats(payload, adaptations)
    if (wanted := told_format(call)) is not None:
        changed = True
        del payload["output_config"]["format"]
        told = {"type": "text", "text": instruction(wanted)}
        payload["system"] = [*_blocks(payload.get("system") or []), told]
        adaptations.append(Adaptation(_FORMAT, "by instruction"))
    scopes = [control.pop("scope") for control in _cache_controls(payload) if "scope" in control]
    if any(scope is not None for scope in scopes):  # Bedrock's caches have none; told once, as it may stand in all
        adaptations.append(Adaptation("cache_control.scope", "dropped"))
    if not changed and not scopes:
        return call, ()
    body = json_text(payload)
    return replace(call, body=body, request=parse(body, type(call.request))), tuple(adaptations)


def _join_formats(payload: Json, adaptations: list[Adaptation]) -> bool:
    """Gives the schema its newer name (C45), and tells whether anything changed; of two the newer one stays."""
    older = payload.pop("output_format", None)
    if older is None:
        return False
    config = payload.get("output_config") or {}
    if config.get("format") is not None:
        adaptations.append(Adaptation("output_format", "dropped"))
    else:
        payload["output_config"] = {**config, "format": older}
    return True


def _blocks(content: str | list[Json]) -> list[Json]:
    return [{"type": "text", "text": content}] if isinstance(content, str) else content


def _cache_controls(payload: Json) -> Iterator[Json]:
    places = [*_items(payload.get("tools")), *_items(payload.get("system"))]
    for message in payload["messages"]:
        for block in _items(message["content"]):
            places += [block, *_items(block.get("content"))]
    for place in places:
        control = place.get("cache_control")
        if isinstance(control, dict):
            yield control


def _items(value: object) -> list[Json]:
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []

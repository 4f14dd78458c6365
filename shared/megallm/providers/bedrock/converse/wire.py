"""Translates a whole Messages request to a Converse request. Pure.

Refuses what cannot be honoured at all, naming the field; lists what was left out or changed.
Source of the shapes: https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_Converse.html
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from pydantic_core import from_json

from megallm.errors import InvalidRequest
from megallm.messages.blocks import TextBlock
from megallm.messages.caller_headers import lost_headers
from megallm.messages.calls import Adaptation, Call
from megallm.messages.compatibility import Rule
from megallm.messages.json_text import json_text
from megallm.messages.requests import JsonSchemaFormat, MessagesRequest, TokenCountRequest
from megallm.messages.unread import (
    CACHING,
    asks_for_nothing,
    lost_caching,
    unread_members,
    unread_options,
    unread_settings,
)
from megallm.providers.bedrock.converse.conversation import conversation
from megallm.providers.bedrock.converse.names import Names
from megallm.providers.bedrock.converse.rulings import Rulings
from megallm.providers.bedrock.converse.tools import tool_config
from megallm.providers.judging import Fault, Format
from megallm.providers.schemas import schema_of

_LETTERS_A_TOKEN = 4


@dataclass(frozen=True, slots=True)
class ConversePrompt:
    """What makes the input, and what reading the reply needs to know of it."""

    body: Mapping[str, object]
    tool_names: Mapping[str, str]
    output_tool: bool
    format: JsonSchemaFormat | None
    space: str
    binary_letters: int


@dataclass(frozen=True, slots=True)
class ConverseWire:
    """A translated request.

    ``stop_sequences`` are matched by us. ``needs_stream`` tells that the upstream does not know them all and would
    write on behind one: only a stream can be ended there. ``format`` is what the reply has to be judged by, None where
    it is not; ``output_tool`` tells that calls of that tool are text,
    ``space`` what a prefill ended in and the reply is not to begin with. ``estimated_tokens`` is a cheap guess at the
    input, for a call that ends before Bedrock has told.
    """

    body: bytes
    tool_names: Mapping[str, str]
    stop_sequences: tuple[str, ...]
    needs_stream: bool
    output_tool: bool
    space: str
    estimated_tokens: int
    adaptations: tuple[Adaptation, ...]
    format: Format | None = None


def prompt_to_wire(
    call: Call[TokenCountRequest], rulings: Rulings, replays: Callable[[str, str], bool]
) -> ConversePrompt:
    """The input alone: messages, system and tools. Raises InvalidRequest."""
    request = call.request
    names = Names()
    tools = tool_config(request, rulings, names)
    told = conversation(request.messages, rulings, names, replays)
    system = [*_system(request), *told.system]
    if tools.instruction:
        system.append({"text": tools.instruction})
    body: dict[str, object] = {"messages": told.turns}
    if system:
        body["system"] = system
    if tools.config is not None:
        body["toolConfig"] = tools.config
    return ConversePrompt(body, names.originals, tools.output_tool, tools.format, told.space, told.binary_letters)


def to_wire(call: Call[MessagesRequest], replays: Callable[[str, str], bool]) -> ConverseWire:
    """The whole request. Raises InvalidRequest, with the path of the field."""
    request = call.request
    if request.max_tokens == 0:
        raise InvalidRequest(
            f"max_tokens: must be at least 1: {call.upstream_model} has no cache to warm", param="max_tokens"
        )
    rulings = Rulings(call.takes, call.upstream_model)
    prompt = prompt_to_wire(call, rulings, replays)
    prefilled = request.messages[-1].role == "assistant"
    # Which of several sequences it was, the upstream does not say; so it gets to know of one at most.
    stops = tuple(request.stop_sequences or ())
    sent = stops if len(stops) == 1 else ()
    body = dict(prompt.body)
    body["inferenceConfig"] = _inference(call, rulings, sent)
    _add_output_config(request, rulings, body)
    _add_others(call, rulings, body)
    for flag in call.betas:
        rulings.adapted(f"anthropic-beta.{flag}", "dropped")
    sent_body = json_text(body)
    return ConverseWire(
        body=sent_body,
        tool_names=prompt.tool_names,
        stop_sequences=stops,
        needs_stream=len(stops) > 1,
        output_tool=prompt.output_tool,
        space=prompt.space,
        estimated_tokens=max(1, (len(sent_body) - prompt.binary_letters) // _LETTERS_A_TOKEN),
        adaptations=(
            *rulings.adaptations,
            *unread_members(request.messages, rulings.adaptations),
            *unread_settings(request),
            *(unread_options(request) if _thinks_not(request) else ()),
            *lost_caching(request),
            *lost_headers(call),
        ),
        format=None if prompt.format is None else Format(schema_of(prompt.format, prefilled=prefilled)),
    )


def repair_body(body: bytes, fault: Fault) -> bytes:
    """The body that asks once more: with the reply that was wrong, and what is wrong with it.

    In words, since a call of the output tool was none for the client. A reply without words is not shown, for Converse
    takes no blank text; the complaint is then part of the last turn, which is the user's.
    """
    request = from_json(body)
    turns = request["messages"]
    complaint = {"text": fault.complaint}
    if fault.text.strip():
        turns.append({"role": "assistant", "content": [{"text": fault.text}]})
        turns.append({"role": "user", "content": [complaint]})
    else:
        turns[-1]["content"].append(complaint)
    return json_text(request)


def _system(request: TokenCountRequest) -> list[dict[str, object]]:
    parts = [TextBlock(text=request.system)] if isinstance(request.system, str) else request.system or []
    return [{"text": part.text} for part in parts if part.text.strip()]


def _inference(call: Call[MessagesRequest], rulings: Rulings, stops: tuple[str, ...]) -> dict[str, object]:
    request = call.request
    most = request.max_tokens
    if call.max_output_tokens is not None and most > call.max_output_tokens:
        most = call.max_output_tokens
        rulings.adapted("max_tokens", str(most))
    config: dict[str, object] = {"maxTokens": most}
    if request.temperature is not None and rulings.field("temperature").action == "pass":
        config["temperature"] = request.temperature
    if request.top_p is not None and rulings.field("top_p").action == "pass":
        config["topP"] = request.top_p
    if stops:
        config["stopSequences"] = stops
    return config


def _add_output_config(request: MessagesRequest, rulings: Rulings, body: dict[str, object]) -> None:
    wanted = request.output_config
    if wanted is None:
        return
    config: dict[str, object] = {}
    if wanted.format is not None and rulings.passes("output_config.format"):
        schema = {"schema": json_text(wanted.format.json_schema).decode()}
        config["textFormat"] = {"type": "json_schema", "structure": {"jsonSchema": schema}}
    if wanted.effort is not None:
        rule = rulings.field("output_config.effort")
        if rule.action == "pass":
            config["effort"] = wanted.effort
        else:
            _add(rule, "effort", wanted.effort, body)
    for name, value in (wanted.model_extra or {}).items():
        if value is not None:
            rulings.adapted(f"output_config.{name}", "dropped")
    if config:
        body["outputConfig"] = config


def _add_others(call: Call[MessagesRequest], rulings: Rulings, body: dict[str, object]) -> None:
    """Fields that Converse has no word for: the table says under which name the model itself knows them."""
    request = call.request
    if request.top_k is not None:
        _add(rulings.field("top_k"), "top_k", request.top_k, body)
    if request.thinking is not None and request.thinking.type != "disabled":
        _add(rulings.field("thinking"), "thinking", request.thinking.model_dump(exclude_none=True), body)
    if request.metadata:
        _add(rulings.field("metadata"), "metadata", request.metadata, body)
    for name, value in (request.model_extra or {}).items():
        if name == CACHING or value is None or (asks_for_nothing(value) and not rulings.takes(name)):
            continue
        if name == "mcp_servers":
            raise rulings.refused(name, "reaches no servers")
        _add(rulings.field(name), name, value, body)


def _add(rule: Rule, name: str, value: Any, body: dict[str, object]) -> None:  # Any: JSON of the caller's making
    """Puts a field below ``additionalModelRequestFields``: under its own name, or at the dotted path of its rule."""
    if rule.action not in ("pass", "rewrite"):
        return
    place: dict[str, Any] = body.setdefault("additionalModelRequestFields", {})  # type: ignore[assignment]  # ours
    *outer, last = (rule.to or name).split(".")
    for step in outer:
        place = place.setdefault(step, {})
    place[last] = value


def _thinks_not(request: MessagesRequest) -> bool:
    """Thinking that is switched off is not sent at all, and so nothing else that stands in it."""
    return request.thinking is not None and request.thinking.type == "disabled"

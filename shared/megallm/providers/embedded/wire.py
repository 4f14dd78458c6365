"""Translates a Messages request for a small local model: turns of text, sampling parameters, a schema to enforce.

Pure. Refuses what such a model cannot do at all, naming the field; lists what is left out.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, assert_never

from megallm.errors import InvalidRequest
from megallm.messages.caller_headers import lost_headers
from megallm.messages.calls import Adaptation, Call
from megallm.messages.requests import (
    BuiltInTool,
    MessagesRequest,
    TokenCountRequest,
    Tool,
    ToolChoiceAny,
    ToolChoiceAuto,
    ToolChoiceNone,
    ToolChoiceTool,
)
from megallm.messages.unread import (
    CACHING,
    asks_for_nothing,
    lost_caching,
    unread_members,
    unread_options,
    unread_settings,
)
from megallm.providers.embedded import tools as tool_text
from megallm.providers.embedded.blocks import Translation, plain
from megallm.providers.embedded.fences import asks_for_json
from megallm.providers.embedded.prefill import take_back_space
from megallm.providers.embedded.prompt import Piece, PromptTurn
from megallm.providers.embedded.tool_loops import ANSWER_NOW, repeats_itself

# Where the request names none: a small model wanders off at Anthropic's 1.0; its makers say 0.7. The
# other samplers stay llama.cpp's (top_k 40, top_p 0.95, min_p 0.05), which cut the worst of the tail.
DEFAULT_TEMPERATURE = 0.7

_TOLD_ELSEWHERE = frozenset({CACHING, "stream"})

# What the reply would rest on: to leave it out is no answer to the request.
_UNABLE = {"container": "has no containers", "mcp_servers": "reaches no servers"}


@dataclass(frozen=True, slots=True)
class WirePrompt:
    """What makes the input: the conversation, and what the gateway puts behind it.

    ``space`` was taken back from the end of a prefill: the model is to begin with it, the reply is not.
    """

    turns: tuple[PromptTurn, ...]
    suffix: tuple[Piece, ...] = ()
    space: str = ""


@dataclass(frozen=True, slots=True)
class Constraint:
    """A JSON schema that the reply must follow, and the field of the request that asked for it.

    ``parts`` are those that it was made of, each by itself: they tell which of them is at fault.
    """

    schema: Mapping[str, Any]
    param: str
    parts: tuple["Constraint", ...] = ()


@dataclass(frozen=True, slots=True)
class Wire:
    """A translated request.

    ``unfence`` tells that a reply in a JSON code fence is to come out of it, ``calls`` how tool calls come
    about, ``tool_names`` which are known, and ``primer`` how a forced call began in the prompt: the model
    writes only the rest.
    """

    prompt: WirePrompt
    parameters: Mapping[str, object]
    stop_sequences: tuple[str, ...]
    constraint: Constraint | None
    unfence: bool
    calls: Literal["none", "chosen", "forced"]
    tool_names: tuple[str, ...]
    parallel: bool
    primer: str
    adaptations: tuple[Adaptation, ...]


@dataclass(frozen=True, slots=True)
class _Choice:
    """The tools as they are used: offered, perhaps one of them forced."""

    offered: tuple[Tool, ...] = ()
    forced: bool = False
    only: Tool | None = None
    parallel: bool = True
    param: str = "tools"


def prompt_to_wire(call: Call[TokenCountRequest]) -> WirePrompt:
    """The input alone, for counting. Raises InvalidRequest."""
    request = call.request
    return _prompt(request, _choice(request, call.upstream_model), Translation(call.upstream_model))


def to_wire(call: Call[MessagesRequest]) -> Wire:
    """The whole request. Raises InvalidRequest, with the path of the field."""
    request = call.request
    if request.max_tokens == 0:
        raise InvalidRequest(
            f"max_tokens: must be at least 1: {call.upstream_model} has no cache to warm", param="max_tokens"
        )
    translation = Translation(call.upstream_model)
    choice = _choice(request, call.upstream_model)
    prompt = _prompt(request, choice, translation)
    return Wire(
        prompt=prompt,
        parameters=_parameters(request),
        stop_sequences=tuple(request.stop_sequences or ()),
        constraint=_constraint(request, choice),
        unfence=asks_for_json("".join(piece.text for piece in plain(request.system))),
        calls="forced" if choice.forced else "chosen" if choice.offered else "none",
        tool_names=tuple(tool.name for tool in choice.offered),
        parallel=choice.parallel,
        primer=_primer(choice),
        adaptations=(
            *_adaptations(call, choice),
            *translation.adaptations,
            *unread_members(request.messages, translation.adaptations),
            *unread_settings(request),
            *unread_options(request),
            *lost_caching(request),
            *lost_headers(call),
        ),
    )


def _parameters(request: MessagesRequest) -> dict[str, object]:
    parameters: dict[str, object] = {
        "n_predict": request.max_tokens,
        "temperature": DEFAULT_TEMPERATURE if request.temperature is None else request.temperature,
    }
    if request.top_p is not None:
        parameters["top_p"] = request.top_p
    if request.top_k is not None:
        # Larger than any vocabulary is the same as all of it, and fits llama.cpp's 32-bit integer.
        parameters["top_k"] = min(request.top_k, 1_000_000)
    return parameters


def _prompt(request: TokenCountRequest, choice: _Choice, translation: Translation) -> WirePrompt:
    system = plain(request.system)
    if choice.offered:
        system += (Piece("\n\n"),) * bool(system) + tool_text.instructions(choice.offered)
    turns = [PromptTurn("system", system)] if system else []
    turns += translation.conversation(request.messages)
    if not turns:
        raise InvalidRequest("messages: there is nothing to answer", param="messages")
    if not choice.forced:
        if choice.offered and repeats_itself(request.messages):
            turns[-1] = PromptTurn("user", (*turns[-1].pieces, Piece(f"\n{ANSWER_NOW}", markup=True)))
        # A grammar that knows no space at its beginning keeps the model from repeating it.
        is_bound = request.output_config is not None and request.output_config.format is not None
        space = ""
        if turns[-1].role == "assistant" and not is_bound:
            turns[-1], space = take_back_space(turns[-1])
        return WirePrompt(tuple(turns), space=space)
    opened = f"\n{tool_text.CALL_OPEN}\n" if turns[-1].role == "assistant" else f"{tool_text.CALL_OPEN}\n"
    return WirePrompt(tuple(turns), (Piece(opened, markup=True), Piece(_primer(choice))))


def _primer(choice: _Choice) -> str:
    return tool_text.forced_primer(choice.only.name) if choice.only is not None else ""


def _choice(request: TokenCountRequest, model: str) -> _Choice:
    offered: list[Tool] = []
    for index, tool in enumerate(request.tools or ()):
        match tool:
            case Tool():
                offered.append(tool)
            case BuiltInTool():
                raise InvalidRequest(
                    f"tools.{index}: {model} has no tool of type {tool.type!r}", param=f"tools.{index}.type"
                )
            case _:
                assert_never(tool)
    every = tuple(offered)
    match request.tool_choice:
        case None:
            return _Choice(every)
        case ToolChoiceAuto(disable_parallel_tool_use=single):
            return _Choice(every, parallel=not single)
        case ToolChoiceNone():
            return _Choice()
        case ToolChoiceAny():
            if not every:
                raise InvalidRequest("tool_choice: there are no tools to choose from", param="tool_choice")
            return _Choice(every, forced=True, only=every[0] if len(every) == 1 else None, parallel=False)
        case ToolChoiceTool(name=name):
            for index, tool in enumerate(every):
                if tool.name == name:
                    return _Choice(every, True, tool, False, f"tools.{index}.input_schema")
            raise InvalidRequest(f"tool_choice.name: there is no tool {name!r}", param="tool_choice.name")
        case unknown:
            assert_never(unknown)


def _constraint(request: MessagesRequest, choice: _Choice) -> Constraint | None:
    if choice.only is not None:
        return Constraint(tool_text.arguments_schema(choice.only), choice.param)
    if choice.forced:
        return Constraint(tool_text.any_call_schema(choice.offered), choice.param, _parts(choice))
    wanted = request.output_config.format if request.output_config is not None else None
    if wanted is None:
        return None
    param = "output_config.format.schema"
    format_ = Constraint(tool_text.closed_schema(wanted.json_schema), param)
    if not choice.offered:
        return format_
    return Constraint(tool_text.any_call_schema(choice.offered, wanted.json_schema), param, (*_parts(choice), format_))


def _parts(choice: _Choice) -> tuple[Constraint, ...]:
    return tuple(
        Constraint(tool_text.arguments_schema(tool), f"tools.{index}.input_schema")
        for index, tool in enumerate(choice.offered)
    )


def _adaptations(call: Call[MessagesRequest], choice: _Choice) -> Sequence[Adaptation]:
    request = call.request
    dropped: list[str] = []
    for name, value in (request.model_extra or {}).items():
        if name in _TOLD_ELSEWHERE or asks_for_nothing(value):
            continue
        if name in _UNABLE:
            raise InvalidRequest(f"{name}: {call.upstream_model} {_UNABLE[name]}", param=name)
        dropped.append(name)
    if request.metadata:
        dropped.append("metadata")
    if request.thinking is not None and request.thinking.type != "disabled":
        dropped.append("thinking")
    if request.output_config is not None:
        if request.output_config.effort is not None:
            dropped.append("output_config.effort")
        dropped += [
            f"output_config.{name}"
            for name, value in (request.output_config.model_extra or {}).items()
            if value is not None
        ]
    for index, tool in enumerate(request.tools or ()):
        for name, value in (tool.model_extra or {}).items():
            kept = name in _TOLD_ELSEWHERE or value in (None, False) or (name == "strict" and choice.forced)
            if not kept:
                dropped.append(f"tools.{index}.{name}")
    dropped += [f"anthropic-beta.{flag}" for flag in call.betas]
    return [Adaptation(name, "dropped") for name in dropped]

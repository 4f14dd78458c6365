"""Tools, and the choice among them, as chat completions spell them (contract C19, C20, C21)."""

from collections.abc import Iterator
from typing import assert_never

from megallm.errors import InvalidRequest, clip
from megallm.messages.blocks import ToolUseBlock
from megallm.messages.frozen import frozen
from megallm.messages.requests import (
    BuiltInTool,
    TokenCountRequest,
    Tool,
    ToolChoiceAny,
    ToolChoiceAuto,
    ToolChoiceNone,
    ToolChoiceTool,
)
from megallm.providers.openai.wire_translation import Translation

JsonObject = dict[str, object]


@frozen
class WireTools:
    """The body's fields about tools. ``forced``: the reply must call one."""

    body: JsonObject
    forced: bool = False


def names_of(request: TokenCountRequest) -> Iterator[str]:
    """Every tool name that the request mentions, those of earlier calls included."""
    for tool in request.tools or ():
        if isinstance(tool, Tool):
            yield tool.name
    for message in request.messages:
        if message.role == "assistant" and not isinstance(message.content, str):
            for block in message.content:
                if type(block) is ToolUseBlock:  # many times faster than isinstance with pydantic's classes
                    yield block.name


def tools_to_wire(translation: Translation, request: TokenCountRequest) -> WireTools:
    """``tools``, ``tool_choice`` and ``parallel_tool_calls``. Raises InvalidRequest."""
    offered = _offered(translation, request)
    choice = request.tool_choice
    if choice is not None:
        translation.lost(choice.model_extra, "tool_choice")
    if not offered:
        if isinstance(choice, ToolChoiceAny | ToolChoiceTool):
            raise InvalidRequest("tool_choice: there are no tools to choose from", param="tool_choice")
        return WireTools({})
    body: JsonObject = {"tools": list(offered.values())}
    match choice:
        case None | ToolChoiceAuto():  # what servers do by themselves; some refuse to be told so while they think
            forced = False
        case ToolChoiceNone():
            if translation.takes.fields.find("tool_choice").action == "drop":
                return WireTools({})  # a model cannot call what it does not know
            _put_choice(translation, body, "none")
            return WireTools(body)
        case ToolChoiceAny():
            forced = _put_choice(translation, body, "required")
        case ToolChoiceTool(name=name):
            if name not in offered:
                raise InvalidRequest(f"tool_choice.name: there is no tool {clip(name)!r}", param="tool_choice.name")
            sent = translation.names.sent(name)
            forced = _put_choice(translation, body, {"type": "function", "function": {"name": sent}})
            if not forced:
                body["tools"] = [offered[name]]  # the nearest thing to a choice
        case _:
            assert_never(choice)
    if choice is not None and choice.disable_parallel_tool_use:
        field = translation.field("tool_choice.disable_parallel_tool_use", "parallel_tool_calls")
        if field is not None:
            body[field] = False
    return WireTools(body, forced=forced)


def _put_choice(translation: Translation, body: JsonObject, choice: object) -> bool:
    field = translation.field("tool_choice", "tool_choice")
    if field is not None:
        body[field] = choice
    return field is not None


def _offered(translation: Translation, request: TokenCountRequest) -> dict[str, JsonObject]:
    """The caller's tools by the name that the caller gave them."""
    offered: dict[str, JsonObject] = {}
    for index, tool in enumerate(request.tools or ()):
        path = f"tools.{index}"
        match tool:
            case Tool():
                if tool.name in offered:
                    raise InvalidRequest(f"{path}.name: tool names must be unique", param=f"{path}.name")
                offered[tool.name] = _tool(translation, tool, f"{path}.")
            case BuiltInTool():
                if translation.takes.blocks.find(f"tool.{tool.type}").action != "drop":
                    raise translation.refused(f"{path}.type", f"has no tool of type {clip(tool.type)!r}")
                translation.changed(path)
            case _:
                assert_never(tool)
    return offered


def _tool(translation: Translation, tool: Tool, path: str) -> JsonObject:
    function: JsonObject = {"name": translation.names.sent(tool.name)}
    if tool.description is not None:
        function["description"] = tool.description
    # Nothing is taken out of the schema: a property may be called cache_control.
    function["parameters"] = tool.input_schema
    function |= translation.extras(tool.model_extra, "tools.", path)
    return {"type": "function", "function": function}

"""Tools, the choice among them, and output that must follow a schema, as Converse's ``toolConfig``.

Source: https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_ToolConfiguration.html
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, assert_never

from megallm.errors import InvalidRequest, clip
from megallm.messages.blocks import ToolUseBlock
from megallm.messages.requests import (
    BuiltInTool,
    JsonSchemaFormat,
    TokenCountRequest,
    Tool,
    ToolChoiceAny,
    ToolChoiceAuto,
    ToolChoiceNone,
    ToolChoiceTool,
)
from megallm.messages.unread import CACHING
from megallm.providers.bedrock.converse.names import Names
from megallm.providers.bedrock.converse.rulings import Rulings
from megallm.providers.judging import instruction

# A model that knows no schema for its text writes it as the input of this tool, and the client gets the text.
OUTPUT_TOOL = "megallm_write_reply"

NO_CALLS = "Do not call any tool in this reply."


@dataclass(frozen=True, slots=True)
class ToolChoice:
    """``config`` is the ``toolConfig``, None where there is none; ``instruction`` goes behind the system prompt.

    ``format`` is what the reply has to be judged by; ``output_tool`` tells that calls of OUTPUT_TOOL are its text.
    """

    config: Mapping[str, object] | None = None
    instruction: str = ""
    output_tool: bool = False
    format: JsonSchemaFormat | None = None


def tool_config(request: TokenCountRequest, rulings: Rulings, names: Names) -> ToolChoice:
    """The tools of a request. Raises InvalidRequest for a tool that this model cannot have."""
    offered = [_specification(tool, f"tools.{at}", rulings, names) for at, tool in enumerate(request.tools or ())]
    used = _used(request)
    wanted = _format(request, rulings)
    _check_choice(request)
    if wanted is None:
        return _plain(request, rulings, names, offered, used)
    if not _is_of_objects(wanted.json_schema):
        # A tool's input is an object, so another value can only be asked for in words.
        rulings.adapted("output_config.format", "by instruction")
        plain = _plain(request, rulings, names, offered, used)
        return replace(plain, instruction=_joined(instruction(wanted), plain.instruction), format=wanted)
    output = _output_tool(wanted.json_schema)
    if isinstance(request.tool_choice, ToolChoiceNone) or not offered:
        return _output([*_from_history(used, names), output], {"tool": {"name": OUTPUT_TOOL}}, wanted, rulings)
    return _output([*offered, output], {"any": {}}, wanted, rulings)


def _plain(
    request: TokenCountRequest, rulings: Rulings, names: Names, offered: list[dict[str, object]], used: Sequence[str]
) -> ToolChoice:
    """The caller's tools alone."""
    choice = request.tool_choice
    if isinstance(choice, ToolChoiceNone) or not offered:
        if not used:
            return ToolChoice()  # what the model does not know it cannot call
        # Converse refuses a history with calls where no tools are.
        # Source: https://github.com/vxcontrol/pentagi/pull/196
        change = "tool_choice" if offered else "tools"
        rulings.adapted(change, "by instruction" if offered else "taken from the history")
        return ToolChoice({"tools": offered or _from_history(used, names)}, NO_CALLS)
    config: dict[str, object] = {"tools": offered}
    if (wanted := _choice(choice, rulings, names)) is not None:
        config["toolChoice"] = wanted
    return ToolChoice(config)


def _specification(tool: Tool | BuiltInTool, path: str, rulings: Rulings, names: Names) -> dict[str, object]:
    match tool:
        case BuiltInTool():
            raise rulings.refused(f"{path}.type", f"has no tool of type {clip(tool.type)!r}")
        case Tool():
            pass
        case unknown:
            assert_never(unknown)
    spec: dict[str, object] = {
        "name": names.tool(tool.name),
        "inputSchema": {"json": {"type": "object", **tool.input_schema}},
    }
    if tool.description:
        spec["description"] = tool.description
    for name, value in (tool.model_extra or {}).items():
        if value in (None, False) or name == CACHING:
            continue
        if name == "strict" and rulings.field("tools.strict", f"{path}.strict").action == "pass":
            spec["strict"] = True
        elif name != "strict":
            rulings.adapted(f"{path}.{clip(name)}", "dropped")
    return {"toolSpec": spec}


def _choice(
    choice: ToolChoiceAuto | ToolChoiceAny | ToolChoiceTool | None, rulings: Rulings, names: Names
) -> dict[str, object] | None:
    if choice is None:
        return None
    if choice.disable_parallel_tool_use:
        rulings.adapted("tool_choice.disable_parallel_tool_use", "dropped")  # Converse has no word for it
    match choice:
        case ToolChoiceAuto():
            return None  # the default, and not every model takes it by name
        case ToolChoiceAny():
            return {"any": {}} if rulings.field("tool_choice.any", "tool_choice").action == "pass" else None
        case ToolChoiceTool():
            if rulings.field("tool_choice.tool", "tool_choice").action == "pass":
                return {"tool": {"name": names.tool(choice.name)}}
            return None
        case unknown:
            assert_never(unknown)


def _check_choice(request: TokenCountRequest) -> None:
    choice = request.tool_choice
    if isinstance(choice, ToolChoiceAny | ToolChoiceTool) and not request.tools:
        raise InvalidRequest("tool_choice: there are no tools to choose from", param="tool_choice")
    if isinstance(choice, ToolChoiceTool) and not any(
        isinstance(tool, Tool) and tool.name == choice.name for tool in request.tools or ()
    ):
        raise InvalidRequest(f"tool_choice.name: there is no tool {clip(choice.name)!r}", param="tool_choice.name")


def _format(request: TokenCountRequest, rulings: Rulings) -> JsonSchemaFormat | None:
    """The format that we have to see to; None where none is wanted or Converse itself does."""
    wanted = request.output_config.format if request.output_config is not None else None
    if wanted is None or rulings.passes("output_config.format"):
        return None
    return wanted if rulings.field("output_config.format").action == "rewrite" else None


def _is_of_objects(schema: Mapping[str, Any]) -> bool:
    """Whether the schema says object, or nothing that keeps it from meaning one."""
    kind = schema.get("type")
    return kind == "object" or (kind is None and not schema.keys() & {"enum", "const"})


def _output(
    tools: list[dict[str, object]], choice: dict[str, object], wanted: JsonSchemaFormat, rulings: Rulings
) -> ToolChoice:
    (kind,) = choice
    if rulings.passes(f"tool_choice.{kind}"):
        return ToolChoice({"tools": tools, "toolChoice": choice}, output_tool=True, format=wanted)
    rulings.adapted("output_config.format", "by instruction")
    told = f"Give your reply by calling the tool {OUTPUT_TOOL}."
    return ToolChoice({"tools": tools}, told, output_tool=True, format=wanted)


def _joined(*instructions: str) -> str:
    return "\n\n".join(text for text in instructions if text)


def _output_tool(schema: Mapping[str, Any]) -> dict[str, object]:
    return {
        "toolSpec": {
            "name": OUTPUT_TOOL,
            "description": "Gives the reply to the user, in the form that is asked for.",
            "inputSchema": {"json": {"type": "object", **schema}},
        }
    }


def _used(request: TokenCountRequest) -> list[str]:
    """The tools that the history calls, each once."""
    blocks: Iterable[object] = (
        block for message in request.messages if not isinstance(message.content, str) for block in message.content
    )
    return list(dict.fromkeys(block.name for block in blocks if isinstance(block, ToolUseBlock)))


def _from_history(used: Sequence[str], names: Names) -> list[dict[str, object]]:
    return [{"toolSpec": {"name": names.tool(name), "inputSchema": {"json": {"type": "object"}}}} for name in used]

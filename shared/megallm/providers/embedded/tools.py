"""How tools are told to a small model, how a call is forced, and how calls are found in what it writes.

The format is the one that the Qwen and Hermes families were trained on; others understand it from
the instructions. Knows nothing of events or of llama.cpp.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from megallm.messages.requests import Tool
from megallm.providers.embedded.prompt import Piece

CALL_OPEN, CALL_CLOSE = "<tool_call>", "</tool_call>"
RESULT_OPEN, RESULT_CLOSE = "<tool_response>", "</tool_response>"

_INTRODUCTION = (
    "# Tools\n\nYou may call one or more functions to assist with the user query. "
    "Call a function only when the user's request needs it; otherwise answer in plain text.\n\n"
    "You are provided with function signatures within <tools></tools> XML tags:\n<tools>\n"
)
_FORMAT = (
    "\n</tools>\n\nFor each function call, return a json object with function name and arguments within "
    f"{CALL_OPEN}{CALL_CLOSE} XML tags:\n"
    f'{CALL_OPEN}\n{{"name": <function-name>, "arguments": <args-json-object>}}\n{CALL_CLOSE}'
)


def compact(value: object) -> str:
    """JSON as these models saw it in training: one line, with spaces, letters as themselves."""
    return json.dumps(value, ensure_ascii=False)


def instructions(tools: Sequence[Tool]) -> tuple[Piece, ...]:
    """The part of the system prompt that lists the tools and shows how to call them."""
    listed = "\n".join(
        compact(
            {
                "type": "function",
                "function": {
                    "name": tool.name,
                    "description": tool.description or "",
                    "parameters": tool.input_schema,
                },
            }
        )
        for tool in tools
    )
    return (Piece(_INTRODUCTION, markup=True), Piece(listed), Piece(_FORMAT, markup=True))


def call_pieces(name: str, arguments: Mapping[str, Any]) -> tuple[Piece, ...]:
    """A call of an earlier turn, as the model would have written it."""
    call = compact({"name": name, "arguments": arguments})
    return (Piece(f"{CALL_OPEN}\n", markup=True), Piece(call), Piece(f"\n{CALL_CLOSE}", markup=True))


def forced_primer(name: str) -> str:
    """The beginning of a forced call: put into the prompt, it leaves only the arguments to the model."""
    return f'{{"name": {compact(name)}, "arguments": '


def arguments_schema(tool: Tool) -> dict[str, Any]:
    """The schema of one tool's input: always an object, and closed so that the model cannot ramble on in it."""
    closed = _close({"type": "object", **tool.input_schema})
    assert isinstance(closed, dict)
    return closed


def any_call_schema(tools: Sequence[Tool], extra: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """One call of any of the tools, or, with *extra*, something of that schema instead."""
    definitions: dict[str, Any] = {}
    choices: list[dict[str, Any]] = []
    for index, tool in enumerate(tools):
        definitions[f"tool{index}"] = _rebase(arguments_schema(tool), f"#/$defs/tool{index}")
        arguments = {"$ref": f"#/$defs/tool{index}"}
        choices.append(
            {
                "type": "object",
                "properties": {"name": {"const": tool.name}, "arguments": arguments},
                "required": ["name", "arguments"],
                "additionalProperties": False,
            }
        )
    if extra is not None:
        definitions["reply"] = _rebase(closed_schema(extra), "#/$defs/reply")
        choices.append({"$ref": "#/$defs/reply"})
    return {"anyOf": choices, "$defs": definitions}


def closed_schema(schema: Mapping[str, Any]) -> dict[str, Any]:
    """A narrower schema: objects that list their properties take no others. What fits it fits the given one."""
    closed = _close(dict(schema))
    assert isinstance(closed, dict)
    return closed


_COMBINING = frozenset({"allOf", "anyOf", "oneOf", "$ref", "not", "if", "patternProperties", "additionalProperties"})
_MAPS_OF_SCHEMAS = frozenset({"properties", "$defs", "definitions"})
_SCHEMAS = frozenset({"items", "anyOf", "oneOf", "additionalProperties", "prefixItems"})


def _close(schema: object) -> object:
    if isinstance(schema, list):
        return [_close(part) for part in schema]
    if not isinstance(schema, dict):
        return schema
    closed: dict[str, object] = {}
    for key, value in schema.items():
        if key in _MAPS_OF_SCHEMAS and isinstance(value, dict):
            closed[key] = {name: _close(part) for name, part in value.items()}
        else:
            closed[key] = _close(value) if key in _SCHEMAS else value
    properties = schema.get("properties")
    required = schema.get("required", [])
    if (
        isinstance(properties, dict)
        and isinstance(required, list)
        and all(isinstance(name, str) and name in properties for name in required)
        and not _COMBINING & schema.keys()
    ):
        closed["additionalProperties"] = False
    return closed


_LITERALS = frozenset({"const", "enum", "default", "examples"})


def _rebase(schema: object, base: str) -> object:
    """The schema with its local references pointing below *base*, where it will stand.

    Its names for itself and its parts (``$id``, ``$anchor``) go: beside other schemas they would turn the
    references elsewhere. What pointed to such a part points to its place.
    """
    return _moved(schema, base, dict(_anchors(schema, base)))


def _moved(schema: object, base: str, anchors: Mapping[str, str]) -> object:
    if isinstance(schema, list):
        return [_moved(part, base, anchors) for part in schema]
    if not isinstance(schema, dict):
        return schema
    moved: dict[str, object] = {}
    for key, value in schema.items():
        if key in _LITERALS:
            moved[key] = value
        elif key == "$ref" and isinstance(value, str) and value.startswith("#"):
            moved[key] = anchors.get(value, base + value[1:])
        elif not (key in ("$id", "$anchor") and isinstance(value, str)):  # a property of that name is no string
            moved[key] = _moved(value, base, anchors)
    return moved


def _anchors(schema: object, path: str) -> Iterator[tuple[str, str]]:
    """References by name (``#name``), each with the pointer to what it names."""
    if isinstance(schema, dict):
        name = schema.get("$anchor")
        if isinstance(name, str):
            yield f"#{name}", path
        for key, value in schema.items():
            if key not in _LITERALS:
                yield from _anchors(value, f"{path}/{key.replace('~', '~0').replace('/', '~1')}")
    elif isinstance(schema, list):
        for index, part in enumerate(schema):
            yield from _anchors(part, f"{path}/{index}")

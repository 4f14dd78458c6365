"""The body of ``POST /v1/messages`` and of ``count_tokens``: validation, and errors that name the field.

Unknown fields are kept, because the API grows; what an upstream cannot express is the
translation's business, not the validation's.
"""

from collections.abc import Iterable, Sequence
from typing import Annotated, Any, Literal, NoReturn, TypeVar

from pydantic import Discriminator, Field, StrictBool, StrictInt, StrictStr, Tag, ValidationError
from pydantic_core import ErrorDetails, from_json

from megallm.errors import InvalidRequest, clip
from megallm.messages.blocks import FAIL_FAST, TAG, BlockParam, NonEmptyStr, Shape, TextBlock, by_type, string_or_list
from megallm.messages.few_values import LARGE_BYTES, few_values

MAX_MESSAGES = 100_000
MAX_STOP_SEQUENCES = 256  # each is looked for in every piece of a reply
MAX_TOKENS = 2**31 - 1  # what upstreams count with

UnitInterval = Annotated[float, Field(ge=0, le=1, strict=True, allow_inf_nan=False)]


class Message(Shape):
    """One turn. ``role: system`` inside the conversation keeps its place."""

    role: Literal["user", "assistant", "system"]
    content: Annotated[
        Annotated[StrictStr, Tag("=str")] | Annotated[list[BlockParam], FAIL_FAST, Tag("=list")],
        Discriminator(string_or_list),
    ]


class Tool(Shape):
    """A tool that the caller runs."""

    type: Literal["custom"] | None = None
    name: NonEmptyStr
    description: StrictStr | None = None
    input_schema: dict[str, Any]  # Any: JSON Schema


class BuiltInTool(Shape):
    """A tool with a type of Anthropic's (``web_search_20260318``, ``bash_20250124`` …); all fields are kept."""

    type: NonEmptyStr


def _tool_kind(value: object) -> str:
    kind = value.get("type") if isinstance(value, dict) else getattr(value, "type", None)
    return "=built_in" if isinstance(kind, str) and kind != "custom" else "=custom"


class ToolChoiceAuto(Shape):
    """The model decides."""

    type: Literal["auto"]
    disable_parallel_tool_use: StrictBool = False


class ToolChoiceAny(Shape):
    """The model must call one of the tools."""

    type: Literal["any"]
    disable_parallel_tool_use: StrictBool = False


class ToolChoiceTool(Shape):
    """The model must call this tool."""

    type: Literal["tool"]
    name: NonEmptyStr
    disable_parallel_tool_use: StrictBool = False


class ToolChoiceNone(Shape):
    """The model must not call a tool."""

    type: Literal["none"]


class ThinkingConfig(Shape):
    """Whether and how much the model thinks first."""

    type: NonEmptyStr
    budget_tokens: Annotated[StrictInt, Field(ge=1)] | None = None


class JsonSchemaFormat(Shape):
    """Output that must follow a JSON schema."""

    type: Literal["json_schema"]
    json_schema: Annotated[dict[str, Any], Field(alias="schema")]  # Any: JSON Schema


class OutputConfig(Shape):
    """What the output should be like."""

    effort: StrictStr | None = None
    format: JsonSchemaFormat | None = None


class TokenCountRequest(Shape):
    """What both routes share: the part of a request that makes its input."""

    model: NonEmptyStr
    messages: Annotated[list[Message], Field(min_length=1, max_length=MAX_MESSAGES, fail_fast=True)]
    system: (
        Annotated[
            Annotated[StrictStr, Tag("=str")] | Annotated[list[TextBlock], FAIL_FAST, Tag("=list")],
            Discriminator(string_or_list),
        ]
        | None
    ) = None
    tools: (
        Annotated[
            list[
                Annotated[
                    Annotated[Tool, Tag("=custom")] | Annotated[BuiltInTool, Tag("=built_in")],
                    Discriminator(_tool_kind),
                ]
            ],
            FAIL_FAST,
        ]
        | None
    ) = None
    tool_choice: (
        Annotated[
            Annotated[ToolChoiceAuto, Tag("=auto")]
            | Annotated[ToolChoiceAny, Tag("=any")]
            | Annotated[ToolChoiceTool, Tag("=tool")]
            | Annotated[ToolChoiceNone, Tag("=none")],
            by_type("auto", "any", "tool", "none"),
        ]
        | None
    ) = None
    thinking: ThinkingConfig | None = None
    output_config: OutputConfig | None = None


class MessagesRequest(TokenCountRequest):
    """A request for a message."""

    max_tokens: Annotated[StrictInt, Field(ge=0, le=MAX_TOKENS)]  # 0 warms a native upstream's prompt cache
    stream: StrictBool = False
    temperature: UnitInterval | None = None
    top_p: UnitInterval | None = None
    top_k: Annotated[StrictInt, Field(ge=0)] | None = None
    stop_sequences: Annotated[list[NonEmptyStr], Field(max_length=MAX_STOP_SEQUENCES, fail_fast=True)] | None = None
    metadata: dict[str, Any] | None = None  # Any: the API may add fields of any type


RequestT = TypeVar("RequestT", bound=TokenCountRequest)


def parse(body: bytes, shape: type[RequestT]) -> RequestT:
    """A validated request from the bytes of a JSON body.

    Raises InvalidRequest: with ``param`` (``messages.0.content``) where one field is at fault.
    """
    payload = _object(body)
    _rename_output_format(payload)
    try:
        return shape.model_validate(payload)
    except ValidationError as error:
        _refuse(error.errors(include_url=False, include_input=False))


def _object(body: bytes) -> dict[str, Any]:
    try:
        payload = from_json(body, allow_inf_nan=False)
    except ValueError as error:
        # The parser's text names a position, never the text that stands there.
        raise InvalidRequest(f"The request body is not valid JSON: {error}") from None
    if not isinstance(payload, dict):
        raise InvalidRequest("The request body must be a JSON object")
    # The search for one byte is many times faster, and spares most bodies the other.
    if b"\\" in body and _may_have_nul(body, payload) and (where := _path_of_nul(payload)) is not None:
        raise InvalidRequest(f"{where}: NUL characters are not allowed", param=where)
    return payload


def _may_have_nul(body: bytes, payload: dict[str, Any]) -> bool:
    if len(body) >= LARGE_BYTES and (values := few_values(payload)) is not None:
        return any(isinstance(value, str) and "\0" in value for value in values)
    return b"\\u0000" in body


def _path_of_nul(value: object, path: str = "") -> str | None:
    """The dotted path of the first string with a NUL character, which most upstreams choke on."""
    parts: Iterable[tuple[object, object]]
    match value:
        case str():
            return path if "\0" in value else None
        case dict():
            parts = value.items()
        case list():
            parts = enumerate(value)
        case _:
            return None
    for key, part in parts:
        if isinstance(key, str) and "\0" in key:
            return path
        if (found := _path_of_nul(part, f"{path}.{_step(key)}" if path else _step(key))) is not None:
            return found
    return None


def _step(key: object) -> str:
    return clip(str(key))


def _rename_output_format(payload: dict[str, Any]) -> None:
    """The older top-level ``output_format`` (beta structured-outputs-2025-11-13) is ``output_config.format``."""
    if "output_format" not in payload:
        return
    config = payload.get("output_config") or {}
    if isinstance(config, dict) and config.get("format") is None:
        payload["output_config"] = {**config, "format": payload.pop("output_format")}


def _refuse(errors: Sequence[ErrorDetails]) -> NoReturn:
    first = errors[0]
    param = _param(first["loc"])
    text = f"{param} is required" if first["type"] == "missing" else f"{param}: {first['msg']}"
    if len(errors) > 1:
        text += f" (and {len(errors) - 1} more)"  # or even more: a list is not read past its first fault
    raise InvalidRequest(text, param=param or None)


def _param(location: Sequence[int | str]) -> str:
    """The dotted path of a field, without the names of union members that pydantic puts in between."""
    return ".".join(str(part) for part in location if not (isinstance(part, str) and part.startswith(TAG)))

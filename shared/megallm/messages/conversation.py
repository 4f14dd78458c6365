"""The turns of a conversation as upstreams want them, and the check that tool calls and results pair up."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from megallm.errors import InvalidRequest, clip
from megallm.messages.blocks import Block, OpaqueBlock, TextBlock, ToolResultBlock, ToolUseBlock
from megallm.messages.requests import Message

Role = Literal["user", "assistant", "system"]
_NAMED = 10  # ids in one error


@dataclass(frozen=True, slots=True)
class Turn:
    """Everything that one role says in a row."""

    role: Role
    blocks: tuple[Block, ...]


def turns(messages: Sequence[Message]) -> list[Turn]:
    """The conversation with strings as text blocks and consecutive messages of one role merged (C05, C06)."""
    merged: list[tuple[Role, list[Block]]] = []
    for message in messages:
        if not merged or merged[-1][0] != message.role:
            merged.append((message.role, []))
        content = message.content
        merged[-1][1].extend([TextBlock(text=content)] if isinstance(content, str) else content)
    return [Turn(role, tuple(blocks)) for role, blocks in merged]


def check_tool_pairs(messages: Sequence[Message]) -> None:
    """Raises InvalidRequest where a tool_result has no tool_use in the turn before, or a tool_use no result after.

    The error names the id and the index of the message (C07).
    """
    unanswered: dict[str, int] = {}  # id of a tool_use -> index of its message
    answerable: set[str] = set()  # every id of the last assistant turn, opaque blocks' too
    last_role: str | None = None
    for index, message in enumerate(messages):
        if message.role == "system":
            continue
        if message.role == "assistant" and last_role == "user":
            _refuse_unanswered(unanswered)
            answerable.clear()
        last_role = message.role
        if isinstance(message.content, str):
            continue
        for position, block in enumerate(message.content):
            if isinstance(block, TextBlock):
                continue
            path = f"messages.{index}.content.{position}"
            if message.role == "assistant":
                if isinstance(block, ToolUseBlock):
                    _refuse_repeated(block.id, unanswered, path)
                    unanswered[block.id] = index
                    answerable.add(block.id)
                elif isinstance(block, OpaqueBlock) and isinstance(
                    block_id := (block.model_extra or {}).get("id"), str
                ):
                    answerable.add(block_id)
            elif isinstance(block, ToolResultBlock):
                _refuse_unexpected(block.tool_use_id, answerable, path)
                answerable.discard(block.tool_use_id)
                unanswered.pop(block.tool_use_id, None)
    _refuse_unanswered(unanswered)


def _refuse_unexpected(tool_use_id: str, answerable: set[str], path: str) -> None:
    if tool_use_id not in answerable:
        raise InvalidRequest(
            f"{path}: unexpected tool_use_id {clip(tool_use_id)!r} in a tool_result block. Each must have one tool_use "
            "with this id in the previous assistant message",
            param=f"{path}.tool_use_id",
        )


def _refuse_repeated(tool_use_id: str, unanswered: dict[str, int], path: str) -> None:
    if tool_use_id in unanswered:
        raise InvalidRequest(
            f"{path}: tool_use ids must be unique; {clip(tool_use_id)!r} was used before", param=f"{path}.id"
        )


def _refuse_unanswered(unanswered: dict[str, int]) -> None:
    if not unanswered:
        return
    index = min(unanswered.values())
    ids = [clip(tool_use_id) for tool_use_id, at in unanswered.items() if at == index]
    named = ", ".join(ids[:_NAMED]) + (f" and {len(ids) - _NAMED} more" if len(ids) > _NAMED else "")
    raise InvalidRequest(
        f"messages.{index}: tool_use ids without a tool_result block in the next message: {named}",
        param=f"messages.{index}.content",
    )

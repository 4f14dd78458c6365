"""Turns of the role system for models that know only the system prompt: they keep their place (C06), in other words."""

from collections.abc import Sequence
from typing import Any

from pydantic_core import to_json

from megallm.messages.blocks import Shape, TextBlock
from megallm.messages.calls import Adaptation
from megallm.messages.native.plan import Path, Plan, dotted, refused
from megallm.messages.requests import Message, TokenCountRequest

_Blocks = list[dict[str, Any]]  # Any: JSON of the caller's making


def take_system_turns(request: TokenCountRequest, plan: Plan) -> None:
    """In front they join the system prompt; later they stand at the end of the user's next turn, or are one of his.

    At its end, because results of tools have to come first in a turn. Raises InvalidRequest for what is no text.
    """
    messages = request.messages
    for at, message in enumerate(messages):
        if message.role == "system" and isinstance(message.content, list):
            _check_text(message.content, ("messages", at, "content"))
    first = next((at for at, message in enumerate(messages) if message.role != "system"), len(messages))
    _join_prompt(request, first, plan)
    waiting: list[int] = []
    for at in range(first, len(messages)):
        if messages[at].role == "system":
            waiting.append(at)
            plan.adaptations.append(Adaptation(dotted(("messages", at)), "user turn"))
        elif waiting:
            if messages[at].role == "user":
                _append(messages, waiting, at, plan)
            else:
                _replace(messages, waiting, plan)
            waiting = []
    _replace(messages, waiting, plan)


def _check_text(blocks: Sequence[Shape], path: Path) -> None:
    for position, block in enumerate(blocks):
        if not isinstance(block, TextBlock):
            raise refused((*path, position), "a block that is no text, in a turn of the role system,")


def _join_prompt(request: TokenCountRequest, count: int, plan: Plan) -> None:
    prompt = _blocks(request.system) if request.system is not None else []
    added = [block for message in request.messages[:count] for block in _blocks(message.content)]
    for at in range(count):
        plan.put(("messages", at), None)
    if isinstance(request.system, list):
        for at, block in enumerate(added, start=len(prompt)):
            plan.put(("system", at), to_json(block).decode())
    elif added:
        plan.put(("system",), to_json([*prompt, *added]).decode())


def _append(messages: list[Message], waiting: list[int], to: int, plan: Plan) -> None:
    content = messages[to].content
    added = [_told(messages[at]) for at in waiting]
    for at in waiting:
        plan.put(("messages", at), None)
    if isinstance(content, str):
        plan.put(("messages", to, "content"), to_json([*_blocks(content), *added]).decode())
    else:
        for at, block in enumerate(added, start=len(content)):
            plan.put(("messages", to, "content", at), to_json(block).decode())


def _replace(messages: list[Message], waiting: list[int], plan: Plan) -> None:
    for at in waiting:
        plan.put(("messages", at), to_json({"role": "user", "content": [_told(messages[at])]}).decode())


def _told(message: Message) -> dict[str, Any]:  # Any: as above
    texts = "\n".join(str(block["text"]) for block in _blocks(message.content))
    return {"type": "text", "text": f"<system>\n{texts}\n</system>"}


def _blocks(content: Any) -> _Blocks:  # Any: what a message or the system prompt may have for its content
    if isinstance(content, str):
        return [{"type": "text", "text": content}] if content else []
    return [block.model_dump(by_alias=True, exclude_unset=True) for block in content]

"""Turns of the role system for models that know only the system prompt: they keep their place (C06), in other words."""

from itertools import takewhile
from typing import Any

from pydantic_core import to_json

from megallm.messages.blocks import TextBlock, ToolResultBlock
from megallm.messages.calls import Adaptation
from megallm.messages.native.plan import Plan, dotted
from megallm.messages.native.splice import in_front_of
from megallm.messages.requests import Message, TokenCountRequest

_Blocks = list[dict[str, Any]]  # Any: JSON of the caller's making


def take_system_turns(request: TokenCountRequest, plan: Plan) -> None:
    """In front they join the system prompt; later they stand before the user's next words, or are a turn of his.

    But behind results of tools, which have to come first in a turn. What is no text is the user's even in front: a
    system prompt is words alone.
    """
    messages = request.messages
    first = len(list(takewhile(_is_prompt, messages)))
    _join_prompt(request, first, plan)
    waiting: list[int] = []
    for at in range(first, len(messages)):
        if plan.removes(("messages", at)):
            continue  # it said nothing but what the table drops
        if messages[at].role == "system":
            waiting.append(at)
            plan.adaptations.append(Adaptation(dotted(("messages", at)), "user turn"))
        elif waiting:
            if messages[at].role == "user":
                _insert(messages, waiting, at, plan)
            else:
                _replace(messages, waiting, plan)
            waiting = []
    _replace(messages, waiting, plan)


def _is_prompt(message: Message) -> bool:
    is_text = isinstance(message.content, str) or all(isinstance(block, TextBlock) for block in message.content)
    return message.role == "system" and is_text


def _join_prompt(request: TokenCountRequest, count: int, plan: Plan) -> None:
    prompt = _blocks(request.system) if request.system is not None else []
    added = [block for at in range(count) for block in _left(request.messages, at, plan)]
    for at in range(count):
        plan.put(("messages", at), None)
    if isinstance(request.system, list):
        for at, block in enumerate(added, start=len(prompt)):
            plan.put(("system", at), to_json(block).decode())
    elif added:
        plan.put(("system",), to_json([*prompt, *added]).decode())


def _insert(messages: list[Message], waiting: list[int], to: int, plan: Plan) -> None:
    content = messages[to].content
    told = [block for at in waiting for block in _told(messages, at, plan)]
    for at in waiting:
        plan.put(("messages", at), None)
    if isinstance(content, str):
        plan.put(("messages", to, "content"), to_json([*told, *_blocks(content)]).decode())
        return
    results = [at for at, block in enumerate(content, start=1) if isinstance(block, ToolResultBlock)]
    place = in_front_of(max(results, default=0))
    plan.put(("messages", to, "content", place), ",".join(to_json(block).decode() for block in told))


def _replace(messages: list[Message], waiting: list[int], plan: Plan) -> None:
    if waiting:
        told = [block for at in waiting for block in _told(messages, at, plan)]
        for at in waiting:
            plan.put(("messages", at), None)
        plan.put(("messages", waiting[0]), to_json({"role": "user", "content": told}).decode())


def _told(messages: list[Message], at: int, plan: Plan) -> _Blocks:
    """A system turn in a user's mouth; what is no text stands behind its words."""
    blocks = _left(messages, at, plan)
    texts = "\n".join(str(block["text"]) for block in blocks if block["type"] == "text")
    told = {"type": "text", "text": f"<system>\n{texts}\n</system>"}
    return [told, *(block for block in blocks if block["type"] != "text")]


def _left(messages: list[Message], at: int, plan: Plan) -> _Blocks:
    """The blocks of a turn without those that the table drops."""
    blocks = enumerate(_blocks(messages[at].content))
    return [block for position, block in blocks if not plan.removes(("messages", at, "content", position))]


def _blocks(content: Any) -> _Blocks:  # Any: what a message or the system prompt may have for its content
    if isinstance(content, str):
        return [{"type": "text", "text": content}] if content else []
    return [block.model_dump(by_alias=True, exclude_unset=True) for block in content]

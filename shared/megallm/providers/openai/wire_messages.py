"""The conversation as chat messages: turns merged, tool results first, a trailing assistant turn as a prefill.

Contract C05, C06, C16, C17.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import assert_never

from pydantic_core import to_json

from megallm.errors import InvalidRequest
from megallm.messages.blocks import (
    Block,
    OpaqueBlock,
    RedactedThinkingBlock,
    TextBlock,
    ThinkingBlock,
    ToolResultBlock,
    ToolUseBlock,
)
from megallm.messages.frozen import frozen
from megallm.messages.requests import Message
from megallm.providers.openai.blocks import Part, content_of, opaque, parts_of, text_part
from megallm.providers.openai.names import short_id
from megallm.providers.openai.thinking import thinking_to_replay
from megallm.providers.openai.wire_translation import Translation

ChatMessage = dict[str, object]

_ELSEWHERE = "(the attachment follows in the next user message)"


@frozen
class Conversation:
    """The chat messages, and the body's fields that make the server go on from the last one.

    ``prefill`` is the text of a trailing assistant turn, which the reply continues.
    """

    messages: list[ChatMessage]
    body: dict[str, object] = field(default_factory=dict)
    prefill: str = ""


@frozen
class _Turn:
    """Messages of one role in a row: the first and the last one's place."""

    messages: Sequence[Message]
    start: int
    end: int

    def blocks(self) -> Iterator[tuple[str, Block]]:
        """All blocks with their paths."""
        for index in range(self.start, self.end + 1):
            for position, block in enumerate(_blocks(self.messages[index])):
                yield _path(self, index, position), block


@dataclass(slots=True)
class _Assistant:
    """An assistant's turn in its parts."""

    texts: list[str] = field(default_factory=list)
    calls: list[dict[str, object]] = field(default_factory=list)
    thinking: list[str] = field(default_factory=list)


def conversation_to_wire(translation: Translation, messages: Sequence[Message]) -> Conversation:
    """Raises InvalidRequest with the path of the block that cannot be said."""
    chat: list[ChatMessage] = []
    slot = 0  # where the results of the last turn's calls belong
    between: list[int] = []  # system turns since then
    last = len(messages) - 1
    start = 0
    for index, message in enumerate(messages):
        if message.model_extra:
            translation.lost(message.model_extra, f"messages.{index}")
    while start <= last:
        end = start
        role, content = messages[start].role, messages[start].content
        while end < last and messages[end + 1].role == role:
            end += 1
        plain = role == "user" or (role == "assistant" and end < last)
        if plain and start == end and isinstance(content, str):
            chat.append({"role": role, "content": content})  # most turns of most conversations
            if role == "assistant":
                slot = len(chat)
                between.clear()
            start += 1
            continue
        turn = _Turn(messages, start, end)
        match role:
            case "user":
                results, rest = _user(translation, turn)
                if results:
                    for index in between:
                        translation.changed(f"messages.{index}", "moved behind the tool results")
                    between.clear()
                    chat[slot:slot] = results
                    slot += len(results)
                chat += rest
            case "system":
                chat.append(_system(translation, turn))
                between += range(start, end + 1)
            case "assistant":
                said = _assistant(translation, turn)
                if end == last and not said.calls:
                    return _prefilled(translation, chat, said, end)
                chat.append(_assistant_message(translation, said))
                slot = len(chat)
                between.clear()
            case _:
                assert_never(role)
        start = end + 1
    return Conversation(chat)


def _blocks(message: Message) -> Sequence[Block]:
    return [TextBlock(text=message.content)] if isinstance(message.content, str) else message.content


def _path(turn: _Turn, index: int, position: int) -> str:
    path = f"messages.{index}.content"
    return path if isinstance(turn.messages[index].content, str) else f"{path}.{position}"


# The next two run for every block of long conversations. So the common kinds are told by their very class, since
# isinstance is slow with pydantic's, and paths are made only for what goes wrong.


def _user(translation: Translation, turn: _Turn) -> tuple[list[ChatMessage], list[ChatMessage]]:
    """The tool messages, and what else the user says, images of tools before it."""
    results: list[ChatMessage] = []
    attached: list[Part] = []
    said: list[Part] = []
    for index in range(turn.start, turn.end + 1):
        for position, block in enumerate(_blocks(turn.messages[index])):
            if type(block) is TextBlock and not block.model_extra:
                said.append(text_part(block.text))
            elif type(block) is ToolResultBlock:
                if block.model_extra:
                    translation.lost(block.model_extra, _path(turn, index, position))
                results.append(
                    {
                        "role": "tool",
                        "tool_call_id": short_id(block.tool_use_id, translation.dialect.tool_id_letters),
                        "content": _plain_result(block)
                        if isinstance(block.content, str)
                        else _result(translation, block, block.content, _path(turn, index, position), attached),
                    }
                )
            else:
                said += parts_of(translation, block, _path(turn, index, position))
    if attached or said or not results:
        return results, [{"role": "user", "content": content_of(attached + said)}]
    return results, []


def _assistant(translation: Translation, turn: _Turn) -> _Assistant:
    said = _Assistant()
    for index in range(turn.start, turn.end + 1):
        for position, block in enumerate(_blocks(turn.messages[index])):
            if type(block) is TextBlock and not block.model_extra:
                said.texts.append(block.text)
            elif type(block) is ToolUseBlock and not block.model_extra:
                said.calls.append(_call(translation, block))
            else:
                _say(translation, said, block, _path(turn, index, position))
    return said


def _say(translation: Translation, said: _Assistant, block: Block, path: str) -> None:
    match block:
        case ToolUseBlock():
            translation.lost(block.model_extra, path)
            said.calls.append(_call(translation, block))
        case ThinkingBlock():
            translation.lost(block.model_extra, path)
            is_ours = translation.route_of(block.signature, block.thinking) == translation.route
            if is_ours and translation.dialect.thinking_replay:
                said.thinking.append(block.thinking)
            else:
                translation.changed(path)
        case RedactedThinkingBlock():
            translation.changed(path)
        case OpaqueBlock():
            opaque(translation, block, path)
        case _:
            for part in parts_of(translation, block, path):
                if part["type"] != "text":
                    raise translation.refused(path, "takes images and files in user turns only")
                said.texts.append(str(part["text"]))


def _plain_result(block: ToolResultBlock) -> object:
    return f"Error:\n{block.content}" if block.is_error else block.content


def _result(
    translation: Translation,
    block: ToolResultBlock,
    content: Sequence[Block],
    path: str,
    attached: list[Part],
) -> str | list[Part]:
    parts: list[Part] = [text_part("Error:")] if block.is_error else []
    for position, inner in enumerate(content):
        parts += parts_of(translation, inner, f"{path}.content.{position}")
    if not translation.dialect.images_in_tool_results:
        call_id = short_id(block.tool_use_id, translation.dialect.tool_id_letters)
        parts = [_moved(part, call_id, attached) for part in parts]
    return content_of(parts)


def _moved(part: Part, call_id: str, attached: list[Part]) -> Part:
    """The part if it is text; else a word in its place, and the part itself among those that are attached."""
    if part["type"] == "text":
        return part
    attached += [text_part(f"Attachment of the result of tool call {call_id}:"), part]
    return text_part(_ELSEWHERE)


def _system(translation: Translation, turn: _Turn) -> ChatMessage:
    parts: list[Part] = []
    for path, block in turn.blocks():
        for part in parts_of(translation, block, path):
            if part["type"] != "text":
                raise translation.refused(path, "takes nothing but text in a system turn")
            parts.append(part)
    text = content_of(parts)
    if translation.dialect.system_turns == "anywhere":
        return {"role": translation.dialect.system_role, "content": text}
    translation.changed(f"messages.{turn.end}.role", "sent as user")
    return {"role": "user", "content": f"<system>\n{text}\n</system>"}


def _call(translation: Translation, block: ToolUseBlock) -> dict[str, object]:
    return {
        "id": short_id(block.id, translation.dialect.tool_id_letters),
        "type": "function",
        "function": {"name": translation.names.sent(block.name), "arguments": to_json(block.input).decode()},
    }


def _assistant_message(translation: Translation, said: _Assistant) -> ChatMessage:
    text = "".join(said.texts)
    message: ChatMessage = {"role": "assistant", "content": text or (None if said.calls else "")}
    if said.calls:
        message["tool_calls"] = said.calls
    message.update(thinking_to_replay(translation.dialect, said.thinking, calls_tools=bool(said.calls)))
    return message


def _prefilled(translation: Translation, chat: list[ChatMessage], said: _Assistant, index: int) -> Conversation:
    """The conversation whose last turn is an assistant's: the reply goes on from it. An empty one says nothing."""
    prefill = "".join(said.texts)
    if said.thinking:  # servers have no place for it in a turn that is still open
        translation.changed(f"messages.{index}.content", "thinking dropped")
    if not prefill:
        if not chat:
            raise InvalidRequest("messages: there is nothing to answer", param="messages")
        return Conversation(chat)
    message: ChatMessage = {"role": "assistant", "content": prefill}
    match translation.dialect.prefill:
        case "trailing":
            return Conversation([*chat, message], {}, prefill)
        case "continue_final_message":
            fields: dict[str, object] = {"add_generation_prompt": False, "continue_final_message": True}
            return Conversation([*chat, message], fields, prefill)
        case "prefix":
            return Conversation([*chat, message | {"prefix": True}], {}, prefill)
        case "":
            translation.changed(f"messages.{index}", "sent as an instruction")
            return Conversation(_told_to_begin(chat, prefill), {}, prefill)
        case mode:
            assert_never(mode)


def _told_to_begin(chat: list[ChatMessage], prefill: str) -> list[ChatMessage]:
    text = f"Begin your reply with exactly the following text, and go on from there:\n\n{prefill}"
    if not chat or chat[-1]["role"] != "user":
        return [*chat, {"role": "user", "content": text}]
    content = chat[-1]["content"]
    told = f"{content}\n\n{text}" if isinstance(content, str) else [*_parts(content), text_part(text)]
    return [*chat[:-1], {"role": "user", "content": told}]


def _parts(content: object) -> list[Part]:
    assert isinstance(content, list)
    return content

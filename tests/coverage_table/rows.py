"""The rows: a request for every parameter, content block, tool and beta flag that the official SDK's types have."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from megallm.messages.blocks import OpaqueBlock
from megallm.messages.requests import Message
from tests.properties.samples import SCHEMA, TOOL_ID, TOOL_NAME, least, ways
from tests.properties.sdk_types import Record, beta_flags, options, records, request_types

Json = Any  # a value of JSON

HELLO: Json = {"role": "user", "content": "Hello"}
TOOL: Json = {"name": TOOL_NAME, "input_schema": SCHEMA}
USE: Json = {"type": "tool_use", "id": TOOL_ID, "name": TOOL_NAME, "input": {"place": "Rome"}}
RESULT: Json = {"type": "tool_result", "tool_use_id": TOOL_ID, "content": "sunny"}
LEAST: Json = {"model": "claude-test", "max_tokens": 100, "messages": [HELLO]}


@dataclass(frozen=True, slots=True)
class Row:
    """One request, and the part of it that the row is about."""

    section: str
    label: str
    request: Json
    betas: tuple[str, ...] = ()
    headers: tuple[tuple[str, str], ...] = ()


# In sections of their own, or no part of the body.
_ELSEWHERE = frozenset({"model", "max_tokens", "messages", "tools", "tool_choice", "betas"})
# Parameters of the SDK's methods that it sends as headers.
HEADERS = frozenset({"user_profile_id", "workspace_id"})
# Where a block of a type may stand; all others are of assistant turns.
_OF_USERS = frozenset({"text", "image", "document", "search_result", "container_upload", "tool_result"})


def rows() -> Iterator[Row]:
    """All rows, section by section, as the general SDK has them and then what its beta adds."""
    yield from _unique(_parameters())
    yield from _unique(_conversations())
    yield from _unique(_blocks())
    yield from _unique(_tools())
    yield from _unique(_tool_choices())
    for flag in beta_flags():
        yield Row("Beta flags", flag, LEAST, (flag,))
    for name in sorted(HEADERS):
        header = f"anthropic-{name.replace('_', '-')}"
        yield Row("Headers", header, LEAST, headers=((header, "some_id"),))


def _unique(found: Iterator[Row]) -> Iterator[Row]:
    seen: set[str] = set()
    for row in found:
        if row.label not in seen:
            seen.add(row.label)
            yield row


def _parameters() -> Iterator[Row]:
    for request in request_types():
        for name, member in request.members.items():
            if name in _ELSEWHERE | HEADERS:
                continue
            for words, value in ways(member.node, name):
                yield Row("Parameters", f"{name}{words}", {**LEAST, **_needed_by(name), name: value})


def _needed_by(parameter: str) -> Json:
    """What makes a parameter mean something."""
    return {"max_tokens": 4096} if parameter == "thinking" else {}


def _conversations() -> Iterator[Row]:
    section = "Conversations"
    answer = {"role": "assistant", "content": "Hello!"}
    prefill = {"role": "assistant", "content": "The answer is"}
    order = {"role": "system", "content": "Be brief"}
    yield Row(section, "consecutive turns of one role", {**LEAST, "messages": [HELLO, HELLO]})
    yield Row(section, "a prefilled assistant turn", {**LEAST, "messages": [HELLO, prefill]})
    spaced = {**prefill, "content": "The answer is "}
    yield Row(section, "a prefilled turn that ends in a space", {**LEAST, "messages": [HELLO, spaced]})
    yield Row(section, "a system turn in the middle", {**LEAST, "messages": [HELLO, answer, order, HELLO]})
    yield Row(section, "an assistant turn first", {**LEAST, "messages": [answer, HELLO]})
    long_name = {**TOOL, "name": "n" * 100}
    yield Row(section, "a tool name of 100 characters", {**LEAST, "tools": [long_name]})
    yield Row(section, "max_tokens = 0", {**LEAST, "max_tokens": 0})
    yield Row(section, "max_tokens above the model's", {**LEAST, "max_tokens": 1_000_000})
    stops = [f"stop{number}" for number in range(20)]
    yield Row(section, "20 stop sequences", {**LEAST, "stop_sequences": stops})
    # What some clients send and the SDK's types do not have.
    for words, control in (("", {}), (".ttl = 1h", {"ttl": "1h"}), (".scope = global", {"scope": "global"})):
        block = {"type": "text", "text": "Be brief", "cache_control": {"type": "ephemeral", **control}}
        yield Row(section, f"cache_control{words} of the system prompt", {**LEAST, "system": [block]})
    yield from _members_of_turns()
    for name, value in (("temperature", 0.5), ("top_p", 0.5), ("top_k", 5)):
        yield Row(section, f"{name} (of the older API version)", {**LEAST, name: value})


def _members_of_turns() -> Iterator[Row]:
    """What stands beside role and content."""
    for request in request_types():
        for turn in records(request.members["messages"].node):
            role = str(least(turn.members["role"].node))
            for name, member in turn.members.items():
                if name in ("role", "content"):
                    continue
                for words, value in ways(member.node, name):
                    said = {"role": role, "content": "Be brief", name: value}
                    yield Row("Conversations", f"{name}{words} of a {role} turn", {**LEAST, "messages": [HELLO, said]})


def _blocks() -> Iterator[Row]:
    for request in request_types():
        turns = records(request.members["messages"].node)
        of_system = {
            block.type
            for turn in turns
            if turn.members["role"].node == _role("system", turn)
            for block in records(turn.members["content"].node)
        }
        for turn in turns:
            for block in records(turn.members["content"].node):
                for words, value in ways(block, depth=2 if _is_understood(block) else 0):
                    yield Row("Content blocks", words.strip(), _holding(value, of_system))


def _is_understood(block: Record) -> bool:
    """Whether a translation reads it; of all others only their type matters."""
    turn = Message.model_validate({"role": "user", "content": [least(block)]})
    return not any(isinstance(each, OpaqueBlock) for each in turn.content)


def _role(role: str, turn: Record) -> object:
    return next((each for each in options(turn.members["role"].node) if role in getattr(each, "values", ())), None)


def _holding(block: Json, of_system: set[str | None]) -> Json:
    """A conversation in which the block stands where such a block may stand."""
    kind = block["type"]
    asked, used = HELLO, {"role": "assistant", "content": [USE]}
    match kind:
        case "tool_result":
            return {**LEAST, "tools": [TOOL], "messages": [asked, used, {"role": "user", "content": [block]}]}
        case "tool_use":
            answered = {"role": "user", "content": [RESULT]}
            turn = {"role": "assistant", "content": [block]}
            return {**LEAST, "tools": [TOOL], "messages": [asked, turn, answered]}
        case _ if kind in _OF_USERS:
            return {**LEAST, "messages": [{"role": "user", "content": [block, {"type": "text", "text": "Look"}]}]}
        case _ if kind in of_system:
            return {**LEAST, "tools": [TOOL], "messages": [asked, {"role": "system", "content": [block]}]}
        case _:
            said = {"role": "assistant", "content": [block, {"type": "text", "text": "So"}]}
            return {**LEAST, "messages": [asked, said, asked]}


def _tools() -> Iterator[Row]:
    for request in request_types():
        for tool in records(request.members["tools"].node):
            for words, value in ways(tool, depth=1 if tool.type == "custom" else 0):
                yield Row("Tools", words.strip(), {**LEAST, "tools": [value]})


def _tool_choices() -> Iterator[Row]:
    for request in request_types():
        for words, value in ways(request.members["tool_choice"].node):
            yield Row("Tool choice", words.strip(), {**LEAST, "tools": [TOOL], "tool_choice": value})

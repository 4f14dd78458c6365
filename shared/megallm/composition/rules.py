"""Whether each kind of provider keeps to the rules of a catalogue, above all what it can send as something else.

The providers' own code decides that; tests/composition/test_rules.py tries each of these out on it, and all others.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from pydantic import BaseModel

from megallm.catalog.upstreams import Kind
from megallm.messages.caller_headers import CALLER_HEADERS
from megallm.messages.compatibility import Feature, Rule, Takes
from megallm.messages.requests import MessagesRequest, OutputConfig, Tool


@dataclass(frozen=True, slots=True)
class Target:
    """What may stand behind an arrow, and how that is told."""

    pattern: re.Pattern[str]
    told: str


def _word(word: str) -> Target:
    return Target(re.compile(re.escape(word)), f'"-> {word}"')


# Chat completions have these themselves, and an arrow must not overwrite them.
_MEMBER = Target(
    re.compile(r"(?!(?:model|messages|tools|stream|stream_options)$)[^.\s]+"),
    "an arrow and the name of one member of the body, other than model, messages, tools, stream and stream_options",
)
_PATH = Target(re.compile(r"[^.\s]+(?:\.[^.\s]+)*"), "an arrow and a name, or names with dots between them")
# A member cannot be put into a number, a text or a list.
_NATIVE_PATH = Target(
    re.compile(
        r"(?!(?:model|messages|max_tokens|stream)(?:$|\.))"
        r"(?!(?:system|tools|stop_sequences|temperature|top_p|top_k)\.)"
        r"[^.\s]+(?:\.[^.\s]+)*"
    ),
    "an arrow and a name, or names with dots between them, that begin with none of model, messages, max_tokens and "
    "stream, nor with a field that has no members",
)
_FLAG = Target(re.compile(r"[A-Za-z0-9._-]+"), "an arrow and another flag")
_TYPE = Target(re.compile(r"[A-Za-z0-9._-]+"), "an arrow and another type of tools")
_HEADER = Target(re.compile(r"[!#$%&'*+.^_`|~0-9a-z-]+"), "an arrow and the name of a header, in lower case")

_TOOLS = "tool."
_STRUCTURE = frozenset({"model", "messages", "max_tokens", "stream"})
_LISTS = frozenset({"messages", "system", "tools", "stop_sequences"})
_CHOICES = frozenset({"tool_choice.any", "tool_choice.tool"})  # no members: the tables tell models apart by them
_CHAT_FIELDS = frozenset(
    {
        "max_tokens", "temperature", "top_p", "top_k", "stop_sequences", "tool_choice",
        "tool_choice.disable_parallel_tool_use", "metadata.user_id", "thinking.budget_tokens",
    }
)  # fmt: skip
# What no translation looks up: caching is told once for the whole request, the older output_format goes as the newer.
_NEVER_EXTRA = frozenset({"cache_control", "output_format"})
_CHAT_NEVER_EXTRA = _NEVER_EXTRA | {"eager_input_streaming", "stream"}
_CHAT_EXTRAS: Mapping[str, type[BaseModel]] = {"": MessagesRequest, "output_config": OutputConfig, "tools": Tool}


@dataclass(frozen=True, slots=True)
class Renames:
    """What one kind of provider sends as something else; None for what it does not.

    ``ruleless`` are the request's fields of which it reads no rule at all.
    """

    kind: str
    ruleless: frozenset[str]
    field: Callable[[str], Target | None]
    block: Callable[[str], Target | None]
    beta: Target | None
    header: Target | None = None


def _chat_field(name: str) -> Target | None:
    outer, _, inner = name.rpartition(".")
    known = _CHAT_EXTRAS.get(outer)
    is_extra = known is not None and inner not in known.model_fields and inner not in _CHAT_NEVER_EXTRA
    return _MEMBER if name in _CHAT_FIELDS or is_extra else None


def _native_field(name: str) -> Target | None:
    outer, dot, _ = name.partition(".")
    return None if outer in _STRUCTURE or (dot and outer in _LISTS) or name in _CHOICES else _NATIVE_PATH


def _invoke_field(name: str) -> Target | None:
    match name:
        case "output_config.format":
            return _word("instruction")
        case "output_format":
            return None  # it goes as output_config.format
        case _:
            return _native_field(name)


def _converse_field(name: str) -> Target | None:
    match name:
        case "output_config.format":
            return _word("tool")
        case "top_k" | "thinking" | "metadata" | "output_config.effort":
            return _PATH
        case "mcp_servers":
            return None
        case _:
            is_extra = "." not in name and name not in MessagesRequest.model_fields and name not in _NEVER_EXTRA
            return _PATH if is_extra else None


def _native_block(name: str) -> Target | None:
    return _TYPE if name.startswith(_TOOLS) else None


def _invoke_block(name: str) -> Target | None:
    return _word("base64") if name == "image.url" else _native_block(name)


_CHAT_BLOCKS = {"image.url": _word("base64"), "document.base64": _word("file")}
_CONVERSE_BLOCKS = {
    "image.url": _word("base64"),
    "document.text": _word("text"),
    "document.content": _word("text"),
    "search_result": _word("text"),
    "tool_result.image": _word("beside"),
    "tool_result.is_error": _word("text"),
}


def _nothing(name: str) -> None:
    """For who renames none."""


_TRANSLATED = frozenset({"model", "messages", "stream", "system", "tools", "output_config"})
_CONVERSE_RULELESS = _TRANSLATED | {"max_tokens", "stop_sequences", "tool_choice"}
_CONVERSE = Renames("bedrock with Converse", _CONVERSE_RULELESS, _converse_field, _CONVERSE_BLOCKS.get, None)
_RENAMES: Mapping[Kind, Renames] = {
    "anthropic": Renames("anthropic", _STRUCTURE, _native_field, _native_block, _FLAG, _HEADER),
    "bedrock": Renames("bedrock", _STRUCTURE, _invoke_field, _invoke_block, _FLAG),
    "embedded": Renames("embedded", frozenset(), _nothing, _nothing, None),
    "openai": Renames("openai", _TRANSLATED | {"metadata"}, _chat_field, _CHAT_BLOCKS.get, _FLAG),
}


def renames_of(kind: Kind, features: Mapping[str, Feature]) -> Renames:
    """Those of this kind of provider on a route with these features."""
    return _CONVERSE if kind == "bedrock" and features.get("api") == "converse" else _RENAMES[kind]


def unkept_rule(kind: Kind, features: Mapping[str, Feature], own: Takes) -> tuple[str, str, str] | None:
    """The first of these rules that a provider of this kind would not keep to: its section, its name, and why."""
    if kind == "embedded":
        rules = {"fields": own.fields, "betas": own.betas, "blocks": own.blocks}
        for section, some in rules.items():
            for name in some.named:
                return section, name, "a provider of the kind embedded keeps to no such rules"
    renames = renames_of(kind, features)
    for name, rule in own.fields.named.items():
        if name in renames.ruleless and rule.action != "pass":
            return "fields", name, f"a provider of the kind {renames.kind} keeps to no rule for this"
        if reason := _fault(renames, rule, renames.field(name) if "*" not in name else None):
            return "fields", name, reason
    for name, rule in own.betas.named.items():
        if reason := _fault(renames, rule, renames.beta):
            return "betas", name, reason
    for name, rule in own.blocks.named.items():
        if reason := _fault(renames, rule, renames.block(name)):
            return "blocks", name, reason
    for name, rule in own.headers.named.items():
        if reason := _header_fault(renames, name, rule):
            return "headers", name, reason
    return None


def _fault(renames: Renames, rule: Rule, target: Target | None) -> str | None:
    if rule.action != "rewrite":
        return None
    if target is None:
        return f"a provider of the kind {renames.kind} cannot send this as something else"
    if target.pattern.fullmatch(rule.to) is None:
        return f"with a provider of the kind {renames.kind} it must be {target.told}"
    return None


def _header_fault(renames: Renames, name: str, rule: Rule) -> str | None:
    wanted = name.removesuffix("*")
    if not any(known == name or (wanted != name and known.startswith(wanted)) for known in CALLER_HEADERS):
        return f"there are rules for {' and '.join(CALLER_HEADERS)} alone"
    if rule.action == "pass" and renames.header is None:
        return f"a provider of the kind {renames.kind} passes no headers of the caller"
    return _fault(renames, rule, renames.header)

"""Values that the SDK's types allow: the least one of each shape, and one for each way in which a shape can vary."""

from base64 import b64encode
from collections.abc import Iterator, Mapping
from typing import Any, assert_never

from tests.properties.sdk_types import Constants, ListOf, MapOf, Member, Node, OneOf, Record, Scalar

Json = Any  # a value of JSON

# One grey pixel.
PNG = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAAAAAA6fptVAAAACklEQVR4nGNgAAAAAgABSK+kcQAAAABJRU5ErkJggg=="
PDF = b64encode(b"%PDF-1.4\n1 0 obj<</Type/Catalog>>endobj\ntrailer<</Root 1 0 R>>\n%%EOF\n").decode()
SCHEMA: Json = {"type": "object", "properties": {"place": {"type": "string"}}, "required": ["place"]}
TOOL_ID, TOOL_NAME = "toolu_1", "get_weather"

# Texts that mean something; every other one is "text".
_TEXTS: Mapping[str, str] = {
    "id": TOOL_ID,
    "tool_use_id": TOOL_ID,
    "name": TOOL_NAME,
    "url": "https://example.com/a.png",
    "signature": "c2lnbmVk",
    "model": "claude-test",
    "file_id": "file_1",
}
_INTEGERS: Mapping[str, int] = {"max_tokens": 100, "budget_tokens": 2048, "total": 20_000, "value": 50_000}
_ANYTHING: Mapping[str, Json] = {"input": {"place": "Rome"}, "schema": SCHEMA, "input_schema": SCHEMA}
# Members whose ways no upstream treats in different ways: one of them stands for all.
_ALIKE = frozenset({"cache_control", "citations", "model", "caller", "allowed_callers", "type", "media_type"})
_PICTURES_AND_PAPERS: Mapping[str, str] = {"image/": PNG, "application/pdf": PDF}


def least(node: Node, name: str = "") -> Json:
    """The smallest value of this shape that says something, as the member *name*; of several shapes the first."""
    match node:
        case Scalar():
            return _scalar(node, name)
        case Constants():
            return "image/png" if "image/png" in node.values else node.values[0]
        case OneOf():
            return least(_first(node), name)
        case ListOf():
            return [least(node.item, name)]
        case MapOf():
            return _ANYTHING.get(name, {})
        case Record():
            return _required(node) or _of_members(dict([*node.members.items()][:1]))
        case _:
            assert_never(node)


def ways(node: Node, name: str = "", depth: int = 2) -> Iterator[tuple[str, Json]]:
    """The ways in which a value of this shape can vary, one at a time, each with words for it; null is none.

    *depth* is how far below the value its members vary; at 0 it is the least value alone.
    """
    match node:
        case Scalar(kind="null"):
            return
        case OneOf() if depth > 0 and name not in _ALIKE:
            for option in node.options:
                yield from ways(option, name, depth)
        case Constants() if depth > 0 and name not in _ALIKE:
            for value in node.values:
                yield f" = {value}", value
        case ListOf():
            for words, value in ways(node.item, name, depth):
                yield words, [value]
        case Record() if name not in _ALIKE:
            yield from _ways_of_record(node, depth)
        case _:
            yield "", least(node, name)


def _ways_of_record(record: Record, depth: int) -> Iterator[tuple[str, Json]]:
    smallest = _required(record)
    called = f" {record.type}" if record.type is not None else ""
    if smallest or depth == 0:
        yield called, least(record)
    if depth == 0:
        return
    for name, member in record.members.items():
        varied = list(ways(member.node, name, depth - 1))
        first = 1 if member.required else 0  # the smallest value has the first way already
        for words, value in varied[first:]:
            yield f"{called}.{name}{words}", {**smallest, name: value}


def _required(record: Record) -> Json:
    return _of_members({name: member for name, member in record.members.items() if member.required})


def _of_members(members: Mapping[str, Member]) -> Json:
    value = {name: least(member.node, name) for name, member in members.items()}
    for media_type, data in _PICTURES_AND_PAPERS.items():
        if str(value.get("media_type", "")).startswith(media_type) and "data" in value:
            value["data"] = data
    return value


def _first(node: OneOf) -> Node:
    """Text before lists of blocks, and anything before nothing."""
    return min(node.options, key=lambda option: (option == Scalar("null"), not isinstance(option, Scalar)))


def _scalar(node: Scalar, name: str) -> Json:
    match node.kind:
        case "text":
            return _TEXTS.get(name, "text")
        case "integer":
            return _INTEGERS.get(name, 1)
        case "number":
            return 0.5
        case "boolean":
            return True
        case "null":
            return None
        case "anything":
            return _ANYTHING.get(name, {})
        case _:
            assert_never(node.kind)

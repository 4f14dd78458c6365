"""Requests as the official SDK's types allow them, in conversations whose tool calls and results pair."""

from functools import cache
from typing import Any, assert_never

from hypothesis import strategies as st

from megallm.messages.blocks import OpaqueBlock
from megallm.messages.requests import Message
from tests.properties.samples import PDF, PNG, SCHEMA, TOOL_NAME, least
from tests.properties.sdk_types import (
    Constants,
    ListOf,
    MapOf,
    Node,
    OneOf,
    Record,
    Scalar,
    beta_flags,
    records,
    request_types,
)

Json = Any  # a value of JSON
Strategy = st.SearchStrategy[Json]

_TEXTS = st.text(max_size=8)
_NAMES = st.sampled_from([TOOL_NAME, "search", "n" * 100, "with space", "名"])
_JSON: Strategy = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**63) | _TEXTS,
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(_TEXTS, inner, max_size=2),
    max_leaves=4,
)
_URLS = st.sampled_from(["https://example.com/a.png", "http://127.0.0.1/x", "data:image/png;base64,aGk=", "x"])
# Members whose text has to mean something to get past the first look.
_MEANT: dict[str, Strategy] = {
    "name": _NAMES,
    "url": _URLS,
    "model": st.just("claude-test"),
    "schema": st.just(SCHEMA),
    "input_schema": st.sampled_from([SCHEMA, {"type": "object"}, {"type": "object", "properties": {}}]),
    "input": st.dictionaries(_TEXTS, _JSON, max_size=2),
    "max_tokens": st.integers(0, 100_000),
    "budget_tokens": st.integers(1, 100_000),
}
_MOST_OPTIONAL = 3  # members at once: a request of everything is refused for the first of them


@cache
def values(node: Node, name: str = "") -> Strategy:
    """All values of this shape, as the member *name*."""
    if name in _MEANT:
        return _MEANT[name]
    match node:
        case Scalar():
            return _scalars(node)
        case Constants():
            return st.sampled_from(node.values)
        case OneOf():
            return st.one_of([values(option, name) for option in node.options])
        case ListOf():
            return st.lists(values(node.item, name), max_size=2)
        case MapOf():
            return st.dictionaries(_TEXTS, values(node.value), max_size=2)
        case Record():
            return _records(node)
        case _:
            assert_never(node)


def _scalars(node: Scalar) -> Strategy:
    match node.kind:
        case "text":
            return _TEXTS
        case "integer":
            return st.integers(0, 10_000)
        case "number":
            return st.floats(0, 1)
        case "boolean":
            return st.booleans()
        case "null":
            return st.none()
        case "anything":
            return _JSON
        case _:
            assert_never(node.kind)


def _records(record: Record, *, without: frozenset[str] = frozenset()) -> Strategy:
    members = {name: each for name, each in record.members.items() if name not in without}
    required = {name: values(each.node, name) for name, each in members.items() if each.required}
    optional = [name for name, each in members.items() if not each.required]
    if not optional:
        return st.fixed_dictionaries(required).map(_with_bytes)
    chosen = st.lists(st.sampled_from(optional), max_size=_MOST_OPTIONAL, unique=True)
    return chosen.flatmap(
        lambda names: st.fixed_dictionaries(
            {**required, **{name: values(members[name].node, name) for name in names}}
        ).map(_with_bytes)
    )


def _with_bytes(value: Json) -> Json:
    """Bytes that are what their media type says, where it is a picture's or a paper's."""
    media_type = value.get("media_type")
    if "data" in value and isinstance(media_type, str) and media_type != "text/plain":
        return {**value, "data": PDF if media_type == "application/pdf" else PNG}
    return value


@cache
def _blocks(request: Record, *, understood: bool) -> Strategy:
    turn = records(request.members["messages"].node)[0]
    found = [each for each in records(turn.members["content"].node) if _is_understood(each) is understood]
    return st.one_of([values(each) for each in found if each.type not in ("tool_use", "tool_result")])


def _is_understood(block: Record) -> bool:
    turn = Message.model_validate({"role": "user", "content": [least(block)]})
    return not any(isinstance(each, OpaqueBlock) for each in turn.content)


@cache
def _block_named(request: Record, kind: str) -> Strategy:
    turn = records(request.members["messages"].node)[0]
    return values(next(each for each in records(turn.members["content"].node) if each.type == kind))


@st.composite
def _conversations(draw: st.DrawFn, request: Record) -> Json:
    """Rounds of a user and an assistant, some with tool calls and their results; perhaps a prefill at the end."""
    # Most blocks are such as a translation reads; the others are refused by most upstreams.
    blocks = _blocks(request, understood=True)
    if draw(st.integers(0, 9)) == 0:
        blocks |= _blocks(request, understood=False)
    contents = _TEXTS | st.lists(blocks, max_size=3)
    turns: list[Json] = []
    for number in range(draw(st.integers(0, 2))):
        turns.append({"role": draw(st.sampled_from(["user", "user", "user", "system"])), "content": draw(contents)})
        ids = [f"toolu_{number}_{index}" for index in range(draw(st.integers(0, 2)))]
        calls = [{**draw(_block_named(request, "tool_use")), "id": each} for each in ids]
        turns.append({"role": "assistant", "content": [*draw(st.lists(blocks, max_size=1)), *calls]})
        if calls:
            results = [{**draw(_block_named(request, "tool_result")), "tool_use_id": each} for each in ids]
            turns.append({"role": "user", "content": [*results, *draw(st.lists(blocks, max_size=1))]})
    turns.append({"role": "user", "content": draw(contents)})
    if draw(st.integers(0, 4)) == 0:
        turns.append({"role": "assistant", "content": draw(_TEXTS)})
    return turns


@st.composite
def requests(draw: st.DrawFn) -> Json:
    """The body of a request."""
    request = draw(st.sampled_from(request_types()))
    others = frozenset({"messages", "betas", "thread", "user_profile_id", "workspace_id"})
    body: Json = {**draw(_records(request, without=others)), "messages": draw(_conversations(request))}
    if draw(st.integers(0, 3)) == 0:  # what only the older version of the API has
        body |= draw(st.fixed_dictionaries({"temperature": st.floats(0, 1), "top_k": st.integers(0, 100)}))
    return body


BETAS = st.lists(st.sampled_from([*beta_flags(), "of-tomorrow-2027-01-01"]), max_size=2, unique=True).map(tuple)

"""Reads the official SDK's parameter types: what they allow, as a small tree that samples and strategies are made of.

A new version of the SDK so brings its new parameters, blocks and tools into every test that is built on this.
"""

import os
import types
import typing
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any, Literal, get_args, get_origin

import typing_extensions
from anthropic import BaseModel
from anthropic.types import anthropic_beta_param, message_create_params
from anthropic.types.beta import message_create_params as beta_message_create_params

TypeHint = Any  # a type as typing has it


@dataclass(frozen=True, slots=True)
class Scalar:
    """A value of a plain type; ``anything`` stands for any JSON."""

    kind: Literal["text", "integer", "number", "boolean", "null", "anything"]


@dataclass(frozen=True, slots=True)
class Constants:
    """One of these values."""

    values: tuple[object, ...]


@dataclass(frozen=True, slots=True)
class ListOf:
    """Any number of these."""

    item: "Node"


@dataclass(frozen=True, slots=True)
class MapOf:
    """An object with members of any name."""

    value: "Node"


@dataclass(frozen=True, slots=True)
class OneOf:
    """One of several shapes."""

    options: tuple["Node", ...]


@dataclass(frozen=True, slots=True)
class Member:
    """A member of an object."""

    node: "Node"
    required: bool


@dataclass(frozen=True, slots=True, eq=False)
class Record:
    """An object with these members; the name is that of the SDK's class, of which there is one record."""

    name: str
    members: Mapping[str, Member]

    @property
    def type(self) -> str | None:
        """The constant of its ``type``, where it has one."""
        member = self.members.get("type")
        constants = [] if member is None else [node for node in options(member.node) if isinstance(node, Constants)]
        return str(constants[0].values[0]) if constants else None


Node = Scalar | Constants | ListOf | MapOf | OneOf | Record

_SCALARS: Mapping[object, Scalar] = {
    str: Scalar("text"),
    int: Scalar("integer"),
    float: Scalar("number"),
    bool: Scalar("boolean"),
    object: Scalar("anything"),
    types.NoneType: Scalar("null"),
}
# What Python programs may give in place of text, and no JSON has.
_ONLY_IN_PYTHON = (bytes, os.PathLike, typing.IO)


def options(node: Node) -> tuple[Node, ...]:
    """The shapes that it may have."""
    return node.options if isinstance(node, OneOf) else (node,)


def records(node: Node) -> list[Record]:
    """Those of them that are objects; of a list, its items'."""
    return [
        record
        for option in options(node)
        for record in (records(option.item) if isinstance(option, ListOf) else [option])
        if isinstance(record, Record)
    ]


@cache
def request_types() -> tuple[Record, Record]:
    """The parameters of ``messages.create`` and of ``beta.messages.create``."""
    bases = (message_create_params.MessageCreateParamsBase, beta_message_create_params.MessageCreateParamsBase)
    ga, beta = (node_of(base) for base in bases)
    assert isinstance(ga, Record)
    assert isinstance(beta, Record)
    return ga, beta


@cache
def beta_flags() -> tuple[str, ...]:
    """Every flag of the ``anthropic-beta`` header that the SDK knows."""
    return tuple(
        str(value)
        for option in get_args(anthropic_beta_param.AnthropicBetaParam)
        if _origin(option) is Literal
        for value in get_args(option)
    )


def node_of(hint: TypeHint) -> Node:
    """The tree of a type. Raises TypeError for one that no parameter has had so far."""
    if hint in _SCALARS:
        return _SCALARS[hint]
    if typing_extensions.is_typeddict(hint):
        return _record(hint)
    origin, arguments = _origin(hint), get_args(hint)
    if origin in (typing.Annotated, typing.Required, typing.NotRequired):
        return node_of(arguments[0])
    if origin is Literal:
        # In an order of our own: typing takes Literal["a", "b"] and Literal["b", "a"] for one, whichever came first.
        return Constants(tuple(sorted(arguments, key=str)))
    if origin in (typing.Union, types.UnionType):
        return _one_of(arguments)
    if origin is dict:
        return MapOf(node_of(arguments[1]))
    if len(arguments) == 1:  # Iterable, List, Sequence and the SDK's own of them
        return ListOf(node_of(arguments[0]))
    raise TypeError(f"the SDK has a new kind of type: {hint}")


@cache
def _record(cls: TypeHint) -> Record:
    hints = typing_extensions.get_type_hints(cls, include_extras=True)
    return Record(cls.__name__, dict(_member(cls, name, hint) for name, hint in hints.items()))


def _member(cls: TypeHint, name: str, hint: TypeHint) -> tuple[str, Member]:
    origin = _origin(hint)
    # The classes' own list of what is required is wrong where annotations are strings, as the SDK's are.
    required = origin is typing.Required or (cls.__total__ and origin is not typing.NotRequired)
    inner = get_args(hint)[0] if origin in (typing.Required, typing.NotRequired) else hint
    # A member named like a keyword of Python has its real name in the annotation.
    aliases = [getattr(note, "alias", None) for note in getattr(inner, "__metadata__", ())]
    return next((alias for alias in aliases if alias), name), Member(node_of(inner), required)


def _one_of(arguments: Sequence[TypeHint]) -> Node:
    found = dict.fromkeys(option for hint in arguments if _is_on_the_wire(hint) for option in options(node_of(hint)))
    nodes = tuple(found)
    return nodes[0] if len(nodes) == 1 else OneOf(nodes)


def _is_on_the_wire(hint: TypeHint) -> bool:
    """Not what only a program may give: files in place of text, and the classes of replies in place of parameters."""
    if _origin(hint) is typing.Annotated:
        hint = get_args(hint)[0]
    if _origin(hint) in (typing.Union, types.UnionType):
        return any(_is_on_the_wire(option) for option in get_args(hint))
    is_reply = isinstance(hint, type) and issubclass(hint, BaseModel)
    return not is_reply and hint not in _ONLY_IN_PYTHON and _origin(hint) not in _ONLY_IN_PYTHON


def _origin(hint: TypeHint) -> object:
    return get_origin(hint)

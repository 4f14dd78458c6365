"""Edits of a JSON text that leave every byte as it was that no edit concerns.

Parsing and writing again would lose the spelling of numbers (``1.0``, ``1e2``), escapes and white space. The text
was validated before; this module only finds where its parts begin and end.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from json import JSONDecoder

from pydantic_core import to_json

# What becomes of an object's members or a list's elements, by name or position: another edit goes into them, a text
# replaces them, or is added where there is none such, None removes them. Positions are those before any edit; a text at
# ``in_front_of(position)`` goes in there.
Edits = Mapping[str | int, "Edits | str | None"]

_SPACE = re.compile(r"[ \t\n\r]*")
# Numbers are not converted: they may be longer than Python likes, and nobody looks at them.
_DECODER = JSONDecoder(parse_float=str, parse_int=str, strict=False)


@dataclass(frozen=True, slots=True)
class _Part:
    """A member or element: its own text begins at ``value``; ``start`` to ``end`` is all between two commas."""

    key: str | int
    start: int
    value: int
    value_end: int
    end: int


def in_front_of(position: int) -> int:
    """The key of what is put into a list before the element that stands there, or at its end where none does."""
    return ~position


def splice(body: bytes, edits: Edits) -> bytes:
    """The JSON object with the edits made. Of repeated members that are edited, the last one is kept, as parsers do."""
    text = body.decode()
    begin = _skip(text, 0)
    edited, end = _edited(text, begin, edits)
    return f"{text[:begin]}{edited}{text[end:]}".encode()


def find(body: bytes, path: Sequence[str | int]) -> str | None:
    """The JSON text that stands there; of members with one name, the last."""
    text = body.decode()
    start, end = _skip(text, 0), len(text)
    for step in path:
        if text[start] not in "{[":
            return None
        found = [part for part in _parts(text, start) if part.key == step]
        if not found:
            return None
        start, end = found[-1].value, found[-1].value_end
    return text[start:end]


def _edited(text: str, at: int, edits: Edits) -> tuple[str, int]:
    """The text of the container at *at*, edited, and where it ended."""
    kept: list[tuple[str | int, str]] = []
    inner_end = at + 1
    seen: set[str | int] = set()
    for part in _parts(text, at):
        inner_end = part.end
        seen.add(part.key)
        if isinstance(part.key, int) and isinstance(put := edits.get(in_front_of(part.key)), str):
            seen.add(in_front_of(part.key))
            kept.append((in_front_of(part.key), put))
        if part.key not in edits:
            kept.append((part.key, text[part.start : part.end]))
            continue
        kept = [other for other in kept if other[0] != part.key]
        value = _value(text, part, edits[part.key])
        if value is not None:
            kept.append((part.key, f"{text[part.start : part.value]}{value}{text[part.value_end : part.end]}"))
    end = _skip(text, inner_end) + 1
    for key, edit in edits.items():
        if key not in seen and (new := _new(edit)) is not None:
            kept.append((key, f"{_dumps(key)}:{new}" if text[at] == "{" else new))
    inside = ",".join(part for _, part in kept) if kept else text[inner_end : end - 1]
    return f"{text[at]}{inside}{text[end - 1]}", end


def _value(text: str, part: _Part, edit: "Edits | str | None") -> str | None:
    """What stands in place of a value; None removes it."""
    if edit is None or isinstance(edit, str):
        return edit
    if text[part.value] in "{[":
        return _edited(text, part.value, edit)[0]
    return _new(edit) or text[part.value : part.value_end]


def _new(edit: "Edits | str | None") -> str | None:
    """The text of a value that was not there, or was null; None where the edit only removes."""
    if edit is None or isinstance(edit, str):
        return edit
    members = [f"{_dumps(key)}:{new}" for key, inner in edit.items() if (new := _new(inner))]
    return f"{{{','.join(members)}}}" if members else None


def _parts(text: str, at: int) -> Iterator[_Part]:
    """The members or elements of the container that begins at *at*."""
    is_object = text[at] == "{"
    start = at + 1
    at = _skip(text, start)
    position = 0
    while text[at] not in "}]":
        key: str | int = position
        if is_object:
            key, at = _DECODER.raw_decode(text, at)
            at = _skip(text, _skip(text, at) + 1)
        value = at
        value_end = _DECODER.raw_decode(text, value)[1]
        end = _skip(text, value_end)
        yield _Part(key, start, value, value_end, end)
        if text[end] != ",":
            return
        position += 1
        start = end + 1
        at = _skip(text, start)


def _skip(text: str, at: int) -> int:
    found = _SPACE.match(text, at)
    assert found is not None  # the pattern matches nothing too
    return found.end()


def _dumps(key: str | int) -> str:
    return to_json(key).decode()

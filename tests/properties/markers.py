"""Marks the parts of a request one by one, so that each can be looked for in what an upstream was sent."""

from base64 import b64decode
from collections.abc import Iterator, Mapping
from typing import Any

from pydantic_core import from_json

Json = Any  # a value of JSON
Marked = tuple[Json, Mapping[str, str]]  # a request, and the places of the words that were put into it

# Members whose text a model is to read.
_WORDS = frozenset({"text", "description", "title", "context"})
# Objects whose members are not the API's, but a tool's or a schema's.
_NOT_OURS = frozenset({"input", "input_schema", "schema"})


class _Words:
    """Makes words that stand nowhere else, and keeps where each was put."""

    def __init__(self) -> None:
        self.places: dict[str, str] = {}

    def at(self, path: str) -> str:
        word = f"mark{len(self.places)}e"
        self.places[word] = path
        return word


def with_words(payload: Json) -> Marked:
    """The request with a word of its own at every place where a model is to read one."""
    words = _Words()
    read = ("messages", "system", "tools")
    parts = {key: _worded(value, key, key, words) if key in read else value for key, value in payload.items()}
    return parts, words.places


def _worded(value: Json, name: str, path: str, words: _Words) -> Json:
    match value:
        case str() if name in _WORDS or name == "content" or path == "system":
            return words.at(path)
        case dict() if name == "input":
            return {"place": words.at(path)}  # arguments of a call: their names are the tool's
        case dict() if value.get("type") == "text" and "data" in value:
            return {**value, "data": words.at(f"{path}.data")}
        case dict():
            return {key: _worded(each, key, f"{path}.{key}", words) for key, each in value.items()}
        case list():
            return [_worded(each, "", f"{path}.{index}", words) for index, each in enumerate(value)]
        case _:
            return value


def with_unknown_members(payload: Json) -> Marked:
    """The request with a member that no version of the API has had so far in each of its objects."""
    words = _Words()
    return _grown(payload, "", "", words), words.places


def _grown(value: Json, name: str, path: str, words: _Words) -> Json:
    match value:
        case dict() if name not in _NOT_OURS:
            inner = {key: _grown(each, key, f"{path}.{key}".removeprefix("."), words) for key, each in value.items()}
            return {**inner, "of_tomorrow": words.at(f"{path}.of_tomorrow".removeprefix("."))}
        case list():
            return [_grown(each, "", f"{path}.{index}", words) for index, each in enumerate(value)]
        case _:
            return value


def words_in(sent: bytes) -> str:
    """All texts of a JSON body in one, what is in base64 too."""
    return "\n".join(_texts(from_json(sent)))


def _texts(value: Json) -> Iterator[str]:
    match value:
        case str():
            yield value
            yield _decoded(value)
        case dict():
            for each in value.values():
                yield from _texts(each)
        case list():
            for each in value:
                yield from _texts(each)
        case _:
            pass


def _decoded(text: str) -> str:
    try:
        return b64decode(text, validate=True).decode()
    except ValueError:
        return ""

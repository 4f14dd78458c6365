"""Reads chat-completion JSON: what a chunk or a message holds, in every spelling that servers use.

Knows nothing of the reply that the pieces become.
"""

from collections.abc import Iterator
from typing import Any

from pydantic_core import from_json, to_json

from megallm.errors import UpstreamFailed
from megallm.messages.frozen import frozen

JsonObject = dict[str, Any]  # Any: JSON of an upstream

_UNREADABLE = "The upstream sent what is not a chat completion"


@frozen
class Thinking:
    """A piece of thinking."""

    text: str


@frozen
class Text:
    """A piece of text."""

    text: str


@frozen
class Refusal:
    """A piece of the text with which the model refuses."""

    text: str


@frozen
class CallPiece:
    """A piece of a tool call; whatever the server left out is None or empty."""

    index: int | None
    id: str
    name: str
    arguments: str


Piece = Thinking | Text | Refusal | CallPiece


def parse(text: str | bytes) -> JsonObject:
    """A chunk, or a whole completion. Raises UpstreamFailed for what is no JSON object.

    Bytes that are not UTF-8 become U+FFFD, and a byte-order mark is skipped, as it is in a stream (C31).
    """
    try:
        value = from_json(text)
    except ValueError as error:
        if isinstance(text, bytes):
            return parse(text.decode("utf-8-sig", "replace"))
        raise UpstreamFailed(_UNREADABLE) from error
    if not isinstance(value, dict):
        raise UpstreamFailed(_UNREADABLE)
    return value


def plain_text(chunk: JsonObject) -> str:
    """The text of a chunk that holds nothing else, which nearly all chunks do; empty for any other.

    It says nothing that the other functions would not say; it is only quicker.
    """
    choices = chunk.get("choices")
    if type(choices) is not list or len(choices) != 1 or "error" in chunk or chunk.get("usage") or "timings" in chunk:
        return ""
    choice = choices[0]
    if type(choice) is not dict or choice.get("index") != 0 or choice.get("finish_reason") or "error" in choice:
        return ""
    if choice.get("usage") or "x_groq" in chunk:
        return ""
    delta = choice.get("delta")
    if type(delta) is not dict or len(delta) != 1:
        return ""
    text = delta.get("content")
    return text if type(text) is str else ""


def first_choice(chunk: JsonObject) -> JsonObject | None:
    """The choice that counts: we ask for one. None where a chunk has none, such as the one with the usage."""
    for choice in objects(chunk.get("choices")):
        if choice.get("index") in (0, None):
            return choice
    return None


def error_in(chunk: JsonObject, choice: JsonObject | None) -> object:
    """The error that a chunk tells of; None, or something else that is empty, where it tells of none.

    vLLM up to 0.9 has the error itself in the chunk's place, OpenRouter has it in the choice too, and Groq says beside
    the chunk why it stopped early (``XGroq`` in groq-python, src/groq/types/chat/chat_completion_chunk.py).
    """
    if chunk.get("object") == "error":
        return chunk
    x_groq = chunk.get("x_groq")
    return (
        chunk.get("error")
        or (choice is not None and choice.get("error"))
        or (isinstance(x_groq, dict) and x_groq.get("error"))
    )


def pieces(delta: JsonObject) -> Iterator[Piece]:
    """What a delta or a message adds to the reply, in the reply's order. Raises UpstreamFailed."""
    if thinking := _thinking(delta):
        yield Thinking(thinking)
    content = delta.get("content")
    if isinstance(content, list):
        yield from _parts(content)
    elif content:
        yield Text(string(content))
    if refusal := delta.get("refusal"):
        yield Refusal(string(refusal))
    if calls := delta.get("tool_calls"):
        for call in objects(calls):
            yield _call(call, object_of(call.get("function")))
    if function := delta.get("function_call"):
        yield _call({}, object_of(function))


def _thinking(delta: JsonObject) -> str:
    """The same thinking stands under several names where a server serves old clients too; one is enough.

    ``reasoning_content`` is DeepSeek's and llama.cpp's, ``reasoning`` Ollama's and vLLM's since 0.12, and
    ``reasoning_details`` OpenRouter's (https://openrouter.ai/docs/use-cases/reasoning-tokens).
    """
    for name in ("reasoning_content", "reasoning"):
        if text := delta.get(name):
            return string(text)
    details = objects(delta.get("reasoning_details"))
    return "".join(string(detail.get("text") or detail.get("summary")) for detail in details)


def _parts(content: list[Any]) -> Iterator[Piece]:
    """Content in parts; Mistral's reasoning models stand their thinking among them.

    Parts without text, such as the references of Mistral's citations, have no place in a reply.
    Source: https://docs.mistral.ai/capabilities/reasoning/
    """
    for part in objects(content):
        if part.get("type") == "thinking":
            thinking = part.get("thinking")
            inner = objects(thinking) if isinstance(thinking, list) else [{"text": thinking}]
            yield Thinking("".join(string(piece.get("text")) for piece in inner))
        elif part.get("type") == "refusal":
            yield Refusal(string(part.get("refusal")))
        else:
            yield Text(string(part.get("text")))


def _call(call: JsonObject, function: JsonObject) -> CallPiece:
    arguments = function.get("arguments")
    if isinstance(arguments, dict):  # OpenAI's are JSON in a string, Ollama's own API has objects
        arguments = to_json(arguments).decode()
    index = call.get("index")
    return CallPiece(
        index=index if isinstance(index, int) else None,
        id=string(call.get("id")),
        name=string(function.get("name")),
        arguments=string(arguments),
    )


def objects(value: object) -> list[JsonObject]:
    """A list of objects; null is an empty one. Raises UpstreamFailed for anything else."""
    if value is None:
        return []
    if not isinstance(value, list) or not all(isinstance(item, dict) for item in value):
        raise UpstreamFailed(_UNREADABLE)
    return value


def object_of(value: object) -> JsonObject:
    """An object; null is an empty one. Raises UpstreamFailed for anything else."""
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise UpstreamFailed(_UNREADABLE)
    return value


def string(value: object) -> str:
    """A string; null is an empty one. Raises UpstreamFailed for anything else."""
    if value is None:
        return ""
    if not isinstance(value, str):
        raise UpstreamFailed(_UNREADABLE)
    return value

"""Short ways to write the chunks of a chat-completions stream, and to see what comes of them."""

import json
from typing import Any

from megallm.errors import GatewayError
from megallm.messages.events import Event, Reply
from megallm.messages.fold import fold
from megallm.providers.openai.expected import Expected
from megallm.providers.openai.reply import from_wire
from tests.legality import assert_legal
from tests.providers.openai.transcripts_playing import Played, play

Json = dict[str, Any]  # Any: JSON of an upstream
DONE = "[DONE]"


def chunk(delta: Json | None = None, finish_reason: str | None = None, **others: object) -> Json:
    """A chunk with one choice; *others* stand in the choice."""
    return {"choices": [{"index": 0, "delta": delta, "finish_reason": finish_reason, **others}]}


def text(said: str | None) -> Json:
    return chunk({"content": said})


def tool(
    arguments: object = None, *, index: int | None = None, call_id: str | None = None, name: str | None = None
) -> Json:
    """A chunk with a piece of one call, without the fields that are None."""
    return chunk({"tool_calls": [tool_entry(arguments, index=index, call_id=call_id, name=name)]})


def tool_entry(
    arguments: object = None, *, index: int | None = None, call_id: str | None = None, name: str | None = None
) -> Json:
    function = {"name": name, "arguments": arguments}
    entry = {"index": index, "id": call_id, "function": {key: value for key, value in function.items() if value}}
    return {key: value for key, value in entry.items() if value is not None}


def sse(*chunks: Json | str) -> bytes:
    """The body of a stream: chunks, ``DONE``, and lines such as comments as they are."""
    lines = [item if isinstance(item, str) and item != DONE else f"data: {_json(item)}" for item in chunks]
    return "".join(f"{line}\n\n" for line in lines).encode()


def _json(item: Json | str) -> str:
    return item if isinstance(item, str) else json.dumps(item)


def streamed(*chunks: Json | str, reading: Expected | None = None) -> Played:
    """What comes of a stream; its events are legal, as always."""
    played = play([sse(*chunks)], reading)
    assert_legal(played.all, whole=played.error is None)
    return played


def reply(*chunks: Json | str, reading: Expected | None = None) -> Reply:
    """The whole reply of a stream that ends well."""
    played = streamed(*chunks, reading=reading)
    assert played.error is None
    return fold(played.all)


def error(*chunks: Json | str) -> type[GatewayError] | None:
    """The kind of error with which a stream ends."""
    played = streamed(*chunks)
    return None if played.error is None else played.error[0]


def blocks(*chunks: Json | str, reading: Expected | None = None) -> list[Event]:
    """The events between message_start and message_delta."""
    return list(streamed(*chunks, reading=reading).all[1:-2])


def completion(message: object, finish_reason: str | None = "stop", **others: object) -> bytes:
    """The body of a whole completion."""
    choice = {"index": 0, "message": message, "finish_reason": finish_reason}
    return json.dumps({"object": "chat.completion", "choices": [choice], **others}).encode()


def whole_reply(message: object, finish_reason: str | None = "stop", *, reading: Expected, **others: object) -> Reply:
    """The reply of a whole completion."""
    return from_wire(completion(message, finish_reason, **others), reading)

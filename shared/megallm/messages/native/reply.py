"""A whole reply of an upstream that speaks our own format."""

from collections.abc import Callable, Mapping, Sequence
from typing import cast

from megallm.errors import UpstreamFailed
from megallm.messages.events import JsonObject, Reply
from megallm.messages.native.blocks import completed
from megallm.messages.native.errors import native_error
from megallm.messages.native.payloads import json_object
from megallm.messages.native.stops import stop_details_of, stop_of
from megallm.messages.native.usage import native_usage


def native_reply(
    body: bytes,
    *,
    stop_sequences: Sequence[str] = (),
    redact: Callable[[JsonObject], JsonObject] = lambda payload: payload,
) -> Reply:
    """The reply in a ``Message`` object, all of whose fields it keeps; *stop_sequences* are the request's.

    *redact* takes out of an error what the caller must not read.
    Raises UpstreamFailed for anything else, and what ``native_error`` makes of an error object.
    """
    message = json_object(body)
    if message.get("type") == "error" or ("content" not in message and isinstance(message.get("error"), Mapping)):
        raise native_error(message, redact)
    content = message.get("content")
    reason, sequence = stop_of(message, stop_sequences)
    if reason is None or not isinstance(content, list) or not all(_is_block(block) for block in content):
        raise UpstreamFailed("The upstream's answer is no message")
    return Reply(
        tuple(completed(cast(JsonObject, block)) for block in content),
        reason,
        native_usage(message.get("usage")),
        sequence,
        stop_details_of(message),
        native=message,
    )


def _is_block(block: object) -> bool:
    return isinstance(block, dict) and isinstance(block.get("type"), str)

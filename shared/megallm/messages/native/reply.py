"""A whole reply of an upstream that speaks our own format."""

from collections.abc import Callable, Mapping, Sequence
from typing import cast

from megallm.errors import UpstreamFailed
from megallm.messages.events import JsonObject, Reply, Usage
from megallm.messages.native.blocks import completed
from megallm.messages.native.errors import native_error
from megallm.messages.native.payloads import json_object
from megallm.messages.native.stops import stop_details_of, stop_of
from megallm.messages.native.usage import native_usage, tells_output, with_input
from megallm.messages.native.written import tokens_of


def native_reply(
    body: bytes,
    *,
    stop_sequences: Sequence[str] = (),
    input_estimate: int = 1,
    redact: Callable[[JsonObject], JsonObject] = lambda payload: payload,
) -> Reply:
    """The reply in a ``Message`` object, all of whose fields it keeps; *stop_sequences* are the request's.

    What the upstream does not tell of its usage is an estimate, the same as in a stream (C31): *input_estimate*, and a
    quarter of the bytes that the model wrote. *redact* takes out of an error what the caller must not read.
    Raises UpstreamFailed for anything else, and what ``native_error`` makes of an error object.
    """
    message = json_object(body)
    if message.get("type") == "error" or ("content" not in message and isinstance(message.get("error"), Mapping)):
        raise native_error(message, redact)
    content = message.get("content")
    reason, sequence = stop_of(message, stop_sequences)
    if reason is None or not isinstance(content, list) or not all(_is_block(block) for block in content):
        raise UpstreamFailed("The upstream's answer is no message")
    told = message.get("usage")
    before = Usage(output_tokens=0 if tells_output(told) else tokens_of(content))
    return Reply(
        tuple(completed(cast(JsonObject, block)) for block in content),
        reason,
        with_input(native_usage(told, before), input_estimate),
        sequence,
        stop_details_of(message),
        native=message,
    )


def _is_block(block: object) -> bool:
    return isinstance(block, dict) and isinstance(block.get("type"), str)

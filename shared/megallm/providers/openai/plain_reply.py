"""Reads a whole completion that is nothing but text, which most are, without going by way of a stream.

It says nothing that ``reply`` would not say by that way; it is only quicker. Whatever is special goes that way.
"""

from megallm.messages.events import Reply
from megallm.providers.openai.chunks import JsonObject, error_in, first_choice
from megallm.providers.openai.expected import Expected
from megallm.providers.openai.finish_reasons import stop_reason
from megallm.providers.openai.usage import usage_from_wire, usage_of, utf8_bytes

_PLAIN_FIELDS = frozenset({"role", "content"})
_PLAIN_ENDS = ("stop", "length")


def plain_reply(completion: JsonObject, expected: Expected) -> Reply | None:
    """The reply; None where the completion is not plain, or not to be read so. Raises UpstreamFailed for rubbish."""
    if expected.stop_sequences or expected.prefill:
        return None
    choice = first_choice(completion)
    if choice is None or choice.get("finish_reason") not in _PLAIN_ENDS or error_in(completion, choice):
        return None
    message = choice.get("message")
    if not isinstance(message, dict):
        return None
    text = message.get("content")
    if not isinstance(text, str) or not text or text.isspace():
        return None
    for name, value in message.items():
        if value is not None and value != [] and name not in _PLAIN_FIELDS:
            return None
    usage = usage_of(
        usage_from_wire(completion, choice) or {}, input_estimate=expected.input_estimate, output_bytes=utf8_bytes(text)
    )
    return Reply(
        ({"type": "text", "text": text},), stop_reason(choice["finish_reason"], refused=False, calls=False), usage
    )

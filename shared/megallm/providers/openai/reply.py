"""Turns a whole chat completion into a reply: by way of the stream that it would have been (contract C31).

What is nothing but text goes a shorter way to the same.
"""

from megallm.errors import UpstreamFailed
from megallm.messages.events import Event, Reply
from megallm.messages.fold import fold
from megallm.providers.openai.chunks import JsonObject, error_in, first_choice, object_of, objects, parse
from megallm.providers.openai.expected import Expected
from megallm.providers.openai.plain_reply import plain_reply
from megallm.providers.openai.stream import ReplyStream


def from_wire(body: bytes, expected: Expected) -> Reply:
    """The reply in the body of a 200. Raises GatewayError for rubbish, and for an error that comes with a 200."""
    completion = parse(body)
    return plain_reply(completion, expected) or fold(_events(completion, expected))


def events_from_wire(body: bytes, expected: Expected) -> list[Event]:
    """The same as events, for a server that does not stream though it was asked to."""
    return _events(parse(body), expected)


def _events(completion: JsonObject, expected: Expected) -> list[Event]:
    choice = first_choice(completion)
    if choice is None and not error_in(completion, None):
        raise UpstreamFailed("The upstream sent a completion without a choice")
    stream = ReplyStream(expected)
    events = stream.feed_chunk(completion if choice is None else {**completion, "choices": [_indexed(choice)]})
    return events + stream.finish()


def _indexed(choice: JsonObject) -> JsonObject:
    """The choice with its tool calls numbered: in a whole message each entry is a call, whatever its id.

    An empty delta beside the message, as Perplexity sends it, is put away.
    """
    message = object_of(choice.get("message"))
    calls = [{**call, "index": index} for index, call in enumerate(objects(message.get("tool_calls")))]
    return {**choice, "delta": None, "message": {**message, "tool_calls": calls}}

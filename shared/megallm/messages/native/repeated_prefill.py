"""Takes a prefill out of a reply that repeats it: some servers of our format do, Anthropic's own does not (C05).

Only where the route's table says so: a model may also go on with the very words of the prefill.
"""

from collections.abc import Sequence
from dataclasses import replace

from megallm.messages.blocks import TextBlock
from megallm.messages.events import JsonObject, Reply
from megallm.messages.requests import Message

FEATURE = "repeats_prefill"


def without_prefill(reply: Reply, messages: Sequence[Message]) -> Reply:
    """The reply without the text of the trailing assistant turn at its beginning."""
    prefill = _prefill(messages)
    first, *others = reply.content or ({},)
    text = first.get("text")
    if not prefill or not isinstance(text, str) or not text.startswith(prefill):
        return reply
    rest: JsonObject = {**first, "text": text.removeprefix(prefill)}
    return replace(reply, content=(rest, *others))


def _prefill(messages: Sequence[Message]) -> str:
    last = messages[-1]
    if last.role != "assistant":
        return ""
    if isinstance(last.content, str):
        return last.content
    return "".join(block.text for block in last.content if isinstance(block, TextBlock))

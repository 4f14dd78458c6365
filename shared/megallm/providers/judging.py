"""Replies that must follow a JSON schema (C24): what models are told, how a reply is judged, and asked for once more.

Knows replies and schemas, but no upstream's wire: who asks once more is told the words.
"""

from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import aclosing
from dataclasses import dataclass, replace
from itertools import takewhile

from pydantic_core import to_json

from megallm.errors import UnfitReply
from megallm.messages.events import BlockStart, Event, JsonObject, MessageDelta, MessageStart, Reply
from megallm.messages.fold import fold
from megallm.messages.requests import JsonSchemaFormat
from megallm.providers.schemas import Schema
from megallm.providers.whole_replies import rest_of

_THINKING = ("thinking", "redacted_thinking")

UNFIT = "The model's reply does not follow the schema of output_config.format"


@dataclass(frozen=True, slots=True)
class Format:
    """The schema of a reply.

    ``enforced``: the upstream lets nothing else through, so that a reply may be shown as it comes; else only a whole
    one can be judged.
    """

    schema: Schema
    enforced: bool = False


@dataclass(frozen=True, slots=True)
class Fault:
    """A reply's text that does not follow its schema, and the user's words that say why."""

    text: str
    complaint: str


def instruction(wanted: JsonSchemaFormat) -> str:
    """What a model is told that is held to no schema."""
    return (
        "Your answer must be one JSON value and nothing else: no code fence, no words before or after it. "
        f"It must follow this JSON Schema:\n{to_json(wanted.json_schema).decode()}"
    )


def bare(text: str) -> str:
    """A JSON reply without white space and a code fence around it."""
    text = text.strip()
    if not (text.startswith("```") and text.endswith("```")):
        return text
    first_line, _, rest = text.partition("\n")
    return rest.removesuffix("```").strip() if first_line.strip("`").strip().isalpha() or first_line == "```" else text


async def judged(reply: Reply, format_: Format, ask_again: Callable[[Fault], Awaitable[Reply]]) -> Reply:
    """The reply if it follows its schema, else what comes when asked once more, behind the thinking of the first.

    Raises UpstreamFailed where that does not follow it either. What was cut off, refused or is a tool call was
    not meant to.
    """
    if reply.stop_reason != "end_turn":
        return reply
    text = "".join(_texts(reply))
    wanted = text if format_.enforced else bare(text)
    found = format_.schema.fault(wanted)
    if found is None:
        return _with_text(reply, wanted)
    thinking = _thinking_of(reply)
    reply = await ask_again(Fault(text, _complaint(found)))
    if thinking:
        # A stream has shown it; and what was thought about the complaint answers a turn that the client does not know.
        reply = replace(reply, content=(*thinking, *reply.content[len(_thinking_of(reply)) :]))
    if reply.stop_reason != "end_turn":
        return reply
    wanted = bare("".join(_texts(reply)))
    if format_.schema.fault(wanted) is not None:
        raise UnfitReply(UNFIT)
    return _with_text(reply, wanted)


async def held_back(
    events: AsyncGenerator[Event, None], judge: Callable[[Reply], Awaitable[Reply]]
) -> AsyncGenerator[Event, None]:
    """The beginning and the thinking before the answer as they come, all else when the whole reply was judged.

    That comes as events of what the judge gives, which has the same thinking in front.
    """
    held: list[Event] = []
    shown = 0  # blocks
    passes = True
    async with aclosing(events):
        async for event in events:
            held.append(event)
            match event:
                case BlockStart():
                    passes = passes and _is_thinking(event.block)
                    shown += passes
                case MessageDelta():
                    passes = False
                case _:
                    pass
            if passes:
                yield event
    whole = fold(held)
    start = next(event for event in held if isinstance(event, MessageStart))
    end = next(event for event in held if isinstance(event, MessageDelta))
    reply = await judge(whole)
    for event in rest_of(reply, start, shown):
        if isinstance(event, MessageDelta) and reply.native is None:  # it still is the reply that came
            event = replace(event, native=end.native)
        yield event


def _complaint(fault: str) -> str:
    return f"This does not follow the JSON Schema: {fault}\nAnswer again: the right JSON and nothing else."


def _thinking_of(reply: Reply) -> tuple[JsonObject, ...]:
    """The blocks before its answer."""
    return tuple(takewhile(_is_thinking, reply.content))


def _is_thinking(block: JsonObject) -> bool:
    return block.get("type") in _THINKING


def _texts(reply: Reply) -> list[str]:
    return [str(block["text"]) for block in reply.content if block.get("type") == "text"]


def _with_text(reply: Reply, text: str) -> Reply:
    """The reply with this text, in one block, in place of its own: clients read each block as a whole value."""
    if _texts(reply) == [text]:
        return reply
    others = [block for block in reply.content if block.get("type") != "text"]
    return replace(reply, content=(*others, {"type": "text", "text": text}))

"""Replies judged by their schema: given, repaired once, or refused (C24)."""

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from dataclasses import replace

import pytest

from megallm.errors import UpstreamFailed
from megallm.messages.events import Event, JsonObject, MessageDelta, MessageStart, Reply, Usage
from megallm.messages.fold import fold
from megallm.messages.requests import JsonSchemaFormat
from megallm.providers.judging import UNFIT, Fault, Format, bare, held_back, instruction, judged
from megallm.providers.schemas import Schema
from megallm.providers.whole_replies import events_of

CITY: dict[str, object] = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
GOOD, BAD = '{"city":"Paris"}', '{"city":7}'
TOLD = Format(Schema(CITY))
COMPLAINT = (
    "This does not follow the JSON Schema: ['city']: 7 is not of type \"string\"\n"
    "Answer again: the right JSON and nothing else."
)


def said(*texts: str) -> Reply:
    """A reply of these blocks of text."""
    return Reply(tuple({"type": "text", "text": text} for text in texts), "end_turn", Usage(1, 1))


def judge(first: Reply, *repairs: Reply, format_: Format = TOLD) -> tuple[Reply, list[Fault]]:
    """What is given in the end, and what was asked for again; asked more often than there are repairs it fails."""
    asked: list[Fault] = []
    answers = iter(repairs)

    async def ask_again(fault: Fault) -> Reply:
        asked.append(fault)
        return next(answers)

    return asyncio.run(judged(first, format_, ask_again)), asked


def test_the_instruction_has_the_schema_in_it() -> None:
    """As JSON."""
    wanted = JsonSchemaFormat.model_validate({"type": "json_schema", "schema": {"enum": ["é"]}})

    assert instruction(wanted) == (
        "Your answer must be one JSON value and nothing else: no code fence, no words before or after it. "
        'It must follow this JSON Schema:\n{"enum":["é"]}'
    )


@pytest.mark.parametrize(
    ("text", "inner"),
    [
        (' {"a": 1}\n', '{"a": 1}'),
        ('```json\n{"a": 1}\n```', '{"a": 1}'),
        ('\n```\n{"a": 1}```  ', '{"a": 1}'),
        ('```{"a": 1}```', '```{"a": 1}```'),
        ("```json\n{", "```json\n{"),
        ("Sure: {}", "Sure: {}"),
    ],
)
def test_json_comes_out_of_its_fence(text: str, inner: str) -> None:
    """Models put one around it whatever they are told."""
    assert bare(text) == inner


def test_a_reply_that_fits_is_given_as_it_is() -> None:
    """Nobody is asked again."""
    assert judge(said(GOOD)) == (said(GOOD), [])


@pytest.mark.parametrize("reply", [said(f"```json\n{GOOD}\n```"), said(f" {GOOD}"), said('{"city":', '"Paris"}')])
def test_the_value_is_one_block_of_text(reply: Reply) -> None:
    """Without what stands around it: clients parse each block."""
    assert judge(reply) == (said(GOOD), [])


def test_an_enforced_reply_has_no_fence() -> None:
    """Its white space is the upstream's own."""
    enforced = Format(TOLD.schema, enforced=True)

    assert judge(said(f" {GOOD}"), format_=enforced) == (said(f" {GOOD}"), [])
    assert judge(said(f"```json\n{GOOD}\n```"), said(GOOD), format_=enforced)[0] == said(GOOD)


def test_a_reply_that_does_not_fit_is_asked_for_once_more() -> None:
    """With its text and what is wrong with it; other blocks stay."""
    thinking = {"type": "thinking", "thinking": "hm", "signature": "s"}
    repaired = Reply((*said(f"```\n{GOOD}\n```").content, thinking), "end_turn", Usage(2, 2))

    reply, asked = judge(said(BAD), repaired)

    assert reply == Reply((thinking, {"type": "text", "text": GOOD}), "end_turn", Usage(2, 2))
    assert asked == [Fault(BAD, COMPLAINT)]


def test_a_repaired_reply_keeps_the_thinking_of_the_first() -> None:
    """A stream has shown it. What was thought about the complaint answers a turn that the client never sees."""
    first, second = ({"type": "thinking", "thinking": text, "signature": "s"} for text in ("hm", "oh"))
    thought = Reply((first, *said(BAD).content), "end_turn", Usage(1, 1))

    repaired, _ = judge(thought, Reply((second, *said(GOOD).content), "end_turn", Usage(2, 2)))
    cut, _ = judge(thought, Reply((second, *said("{").content), "max_tokens", Usage(2, 2)))

    assert repaired.content == (first, *said(GOOD).content)
    assert cut.content == (first, *said("{").content)


def test_a_second_reply_that_does_not_fit_is_an_error() -> None:
    """A third is not asked for."""
    with pytest.raises(UpstreamFailed) as caught:
        judge(said(BAD), said(BAD))

    assert caught.value.message == UNFIT


@pytest.mark.parametrize("reason", ["max_tokens", "refusal", "tool_use", "stop_sequence"])
def test_what_was_not_meant_to_fit_is_not_judged(reason: str) -> None:
    """Neither the first reply nor the second."""
    cut = Reply(said("{").content, reason, Usage(1, 1))  # type: ignore[arg-type]  # one of the reasons

    assert judge(cut) == (cut, [])
    assert judge(said(BAD), cut)[0] == cut


def test_thinking_is_not_held_back() -> None:
    """What stands before the answer is no part of what is judged, and comes as it comes; redacted thinking too."""
    thinking = {"type": "thinking", "thinking": "hm", "signature": "s"}
    redacted = {"type": "redacted_thinking", "data": "x"}
    sent = Reply((thinking, redacted, *said(BAD).content), "end_turn", Usage(1, 1))
    fit = Reply((thinking, redacted, *said(GOOD).content), "end_turn", Usage(1, 1))
    at: list[int] = []  # how many events were seen when it was judged
    seen: list[Event] = []

    async def events() -> AsyncGenerator[Event, None]:
        for event in events_of(sent):
            yield event

    async def repaired(reply: Reply) -> Reply:
        assert reply == sent
        at.append(len(seen))
        return fit

    async def main() -> None:
        async with aclosing(held_back(events(), repaired)) as judged_events:
            async for event in judged_events:
                seen.append(event)  # noqa: PERF401  one by one, so that the judge sees how many there are

    asyncio.run(main())
    assert seen == events_of(fit)
    assert at == [1 + 4 + 2]


def test_what_the_upstream_says_of_the_message_stays_at_its_end() -> None:
    """Where the reply is the one that came; and of the one that came in its place, what that one says."""
    came: JsonObject = {"context_management": {"edits": []}}
    second: JsonObject = {"id": "msg_2", "context_management": {"edits": [1]}}

    async def events() -> AsyncGenerator[Event, None]:
        for event in events_of(said(GOOD)):
            yield replace(event, native=came) if isinstance(event, MessageDelta) else event

    async def ends(judge: Callable[[Reply], Reply]) -> list[object]:
        async def judged_so(reply: Reply) -> Reply:
            return judge(reply)

        return [event.native async for event in held_back(events(), judged_so) if isinstance(event, MessageDelta)]

    assert asyncio.run(ends(lambda reply: reply)) == [came]
    assert asyncio.run(ends(lambda reply: replace(reply, native=second))) == [{"context_management": {"edits": [1]}}]


def test_all_else_is_held_back() -> None:
    """Until it was judged; the events are those of the reply that the judge gives."""
    steps: list[str] = []

    async def sent() -> AsyncGenerator[Event, None]:
        try:
            for event in events_of(said(BAD)):
                yield event
        finally:
            steps.append("closed")

    async def repaired(reply: Reply) -> Reply:
        assert reply == said(BAD)
        steps.append("judged")
        return said(GOOD)

    async def main() -> list[Event]:
        async with aclosing(held_back(sent(), repaired)) as events:
            seen = [await anext(events)]
            assert (seen, steps) == ([MessageStart(Usage(1))], [])
            return seen + [event async for event in events]

    assert fold(asyncio.run(main())) == said(GOOD)
    assert steps == ["closed", "judged"]

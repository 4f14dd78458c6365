"""Replies judged by their schema: given, repaired once, or refused (C24)."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing

import pytest

from megallm.errors import UpstreamFailed
from megallm.messages.events import Event, MessageStart, Reply, Usage
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


def test_all_but_the_beginning_is_held_back() -> None:
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

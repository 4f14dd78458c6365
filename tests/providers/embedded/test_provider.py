"""The embedded provider on the real tiny model: what is promised holds whatever nonsense the model writes."""

import asyncio
import json
from collections.abc import Iterator
from contextlib import aclosing
from dataclasses import replace
from pathlib import Path

import pytest

from megallm.errors import InvalidRequest
from megallm.messages.calls import Adaptation
from megallm.messages.events import (
    BlockStart,
    BlockStop,
    InputJsonDelta,
    MessageDelta,
    MessageStart,
    MessageStop,
    TextDelta,
    Usage,
)
from megallm.messages.fold import fold
from megallm.providers.embedded.provider import EmbeddedProvider

from .asking import SEARCH, WEATHER, ask, call_of, counting_ids, prepared, stream, text_of

CONTEXT_TOKENS = 512


@pytest.fixture(scope="module")
def provider(tiny_model: Path) -> Iterator[EmbeddedProvider]:
    """The tiny model, loaded once; a short context keeps it small."""
    loaded = EmbeddedProvider(tiny_model, new_tool_id=counting_ids(), context_tokens=CONTEXT_TOKENS)
    asyncio.run(loaded.load())
    yield loaded
    asyncio.run(loaded.aclose())


def test_a_reply_is_text_with_honest_usage(provider: EmbeddedProvider) -> None:
    """The prompt's tokens are those that count_tokens tells; the reply's are those that the model made."""
    counted = asyncio.run(provider.count_tokens(call_of("Say hi", system="Be brief.")))

    reply = ask(provider, "Say hi", system="Be brief.", max_tokens=7, temperature=0)

    assert reply.usage.prompt_tokens == counted
    assert 1 <= reply.usage.output_tokens <= 7
    assert [block["type"] for block in reply.content] == ["text"]


def test_what_is_known_of_the_model_is_told(provider: EmbeddedProvider) -> None:
    """Its name from the file, its context, what runs; and of a call what was left out of it."""
    call = asyncio.run(provider.prepare(call_of("Say hi", metadata={"user_id": "u"})))

    assert (provider.display_name != "", provider.context_tokens, provider.running) == (True, CONTEXT_TOKENS, 0)
    assert (call.adaptations, call.usage) == ((Adaptation("metadata", "dropped"),), None)


def test_what_the_prompt_shares_with_the_last_one_counts_as_cached(provider: EmbeddedProvider) -> None:
    """The second time, all but the last token is there already."""
    first = ask(provider, "A question that is asked twice over", max_tokens=1)
    second = ask(provider, "A question that is asked twice over", max_tokens=1)

    assert second.usage == Usage(input_tokens=1, output_tokens=1, cache_read_input_tokens=first.usage.prompt_tokens - 1)


def test_events_come_one_by_one_in_the_legal_order(provider: EmbeddedProvider) -> None:
    """A delta a token, one block, the reason at the end."""
    events = stream(provider, "Count to twenty", max_tokens=12, temperature=0)

    deltas = events[2:-3]
    assert all(isinstance(event, TextDelta) and event.index == 0 for event in deltas)
    assert len(deltas) > 5
    assert isinstance(events[0], MessageStart)
    assert events[1] == BlockStart(0, {"type": "text", "text": ""})
    assert events[-3] == BlockStop(0)
    assert events[-2] == MessageDelta("max_tokens", replace(events[0].usage, output_tokens=12))
    assert events[-1] == MessageStop()


def test_the_stream_folds_to_the_reply(provider: EmbeddedProvider) -> None:
    """At temperature 0 both are the same; the cache alone may differ."""
    events = stream(provider, "Name a colour", max_tokens=10, temperature=0)
    reply = ask(provider, "Name a colour", max_tokens=10, temperature=0)

    folded = fold(events)
    assert (folded.content, folded.stop_reason) == (reply.content, reply.stop_reason)


def test_a_prefill_is_continued_and_not_repeated(provider: EmbeddedProvider) -> None:
    """White space at its end is kept as it is."""
    conversation = [{"role": "user", "content": "Count"}, {"role": "assistant", "content": "1, 2, 3, 4, 5, "}]

    reply = ask(provider, conversation, max_tokens=8, temperature=0)

    assert text_of(reply).startswith("6, 7")


@pytest.mark.parametrize("attempt", range(4))
def test_a_reply_never_repeats_the_space_before_it(provider: EmbeddedProvider, attempt: int) -> None:
    """Nor does it begin in the middle of a word: "The wave" may not become "The wave s"."""
    conversation = [{"role": "user", "content": f"Poem {attempt}"}, {"role": "assistant", "content": "The wave "}]

    reply = ask(provider, conversation, max_tokens=6, temperature=1.0)

    assert not text_of(reply).startswith(" ")


def test_a_stop_sequence_ends_the_reply_exactly_before_it(provider: EmbeddedProvider) -> None:
    """And the reply tells which one it was; the generation does not go on behind it."""
    conversation = [{"role": "user", "content": "Count"}, {"role": "assistant", "content": "1, 2, 3, 4, 5, "}]

    reply = ask(provider, conversation, max_tokens=100, temperature=0, stop_sequences=["nothing", " 9,"])

    assert (text_of(reply), reply.stop_reason, reply.stop_sequence) == ("6, 7, 8,", "stop_sequence", " 9,")
    assert reply.usage.output_tokens < 20


def test_earlier_turns_reach_the_model(provider: EmbeddedProvider) -> None:
    """Roles in the middle, system included, keep their places."""
    conversation = [
        {"role": "user", "content": "My name is Zebulon."},
        {"role": "assistant", "content": "Hello Zebulon."},
        {"role": "system", "content": "Answer with the name only."},
        {"role": "user", "content": "What is my name?"},
        {"role": "assistant", "content": "Your name is"},
    ]

    reply = ask(provider, conversation, max_tokens=6, temperature=0)

    assert "Zebulon" in text_of(reply)


@pytest.mark.parametrize("attempt", range(8))
@pytest.mark.parametrize("choice", [{"type": "any"}, {"type": "tool", "name": "search_web"}])
def test_a_forced_call_is_always_valid(provider: EmbeddedProvider, choice: dict[str, str], attempt: int) -> None:
    """By grammar: even at temperature 1 the input follows the schema, and nothing but the call comes."""
    reply = ask(
        provider,
        f"Question {attempt}: what is up?",
        tools=[WEATHER, SEARCH],
        tool_choice=choice,
        temperature=1.0,
        max_tokens=100,
    )

    (block,) = reply.content
    assert (block["type"], reply.stop_reason) == ("tool_use", "tool_use")
    assert _is_valid(block)
    assert choice.get("name", block["name"]) == block["name"]


def test_a_prefill_may_stand_before_a_forced_call(provider: EmbeddedProvider) -> None:
    """The call follows it."""
    conversation = [{"role": "user", "content": "Paris?"}, {"role": "assistant", "content": "Let me look: "}]

    reply = ask(provider, conversation, tools=[WEATHER], tool_choice={"type": "any"}, max_tokens=100)

    assert [(block["type"], _is_valid(block)) for block in reply.content] == [("tool_use", True)]


def test_the_input_of_a_forced_call_streams(provider: EmbeddedProvider) -> None:
    """In pieces that make up one JSON object."""
    events = stream(provider, "Paris?", tools=[WEATHER], tool_choice={"type": "any"}, max_tokens=100)

    pieces = [event.partial_json for event in events if isinstance(event, InputJsonDelta)]
    assert len(pieces) > 3
    assert json.loads("".join(pieces)).keys() == {"city", "unit"}


def test_a_forced_call_that_max_tokens_cuts_ends_as_such(provider: EmbeddedProvider) -> None:
    """As Anthropic does it: the block is incomplete, and the reason says so."""
    reply = ask(provider, "Paris?", tools=[WEATHER], tool_choice={"type": "any"}, max_tokens=2)

    (block,) = reply.content
    assert (block["type"], reply.stop_reason) == ("tool_use", "max_tokens")


def test_a_reply_in_a_format_is_json_of_that_schema(provider: EmbeddedProvider) -> None:
    """By grammar, too."""
    schema = {
        "type": "object",
        "properties": {"name": {"type": "string", "maxLength": 10}, "age": {"type": "integer", "maximum": 99}},
        "required": ["name", "age"],
    }

    reply = ask(
        provider,
        "Ann is 31.",
        output_config={"format": {"type": "json_schema", "schema": schema}},
        max_tokens=100,
        temperature=1.0,
    )

    assert json.loads(text_of(reply)).keys() == {"name", "age"}


def test_a_format_and_tools_that_may_be_called_go_together(provider: EmbeddedProvider) -> None:
    """Either a call or an answer in the format comes, and nothing else."""
    format_ = {"type": "object", "properties": {"sum": {"type": "integer", "maximum": 9}}, "required": ["sum"]}

    reply = ask(
        provider,
        "1 + 1?",
        tools=[WEATHER],
        output_config={"format": {"type": "json_schema", "schema": format_}},
        max_tokens=100,
    )

    (block,) = reply.content
    assert _is_valid(block) or json.loads(text_of(reply)).keys() == {"sum"}


@pytest.mark.parametrize("schema", [{"type": "objectx"}, {"$ref": "http://elsewhere.invalid/schema"}, {"pattern": "("}])
def test_a_schema_that_cannot_be_enforced_is_refused_by_name(
    provider: EmbeddedProvider, schema: dict[str, str]
) -> None:
    """llama.cpp itself would go on without it, in silence."""
    format_ = {"type": "json_schema", "schema": {"type": "string"} | schema}

    with pytest.raises(InvalidRequest) as caught:
        ask(provider, output_config={"format": format_})

    assert caught.value.param == "output_config.format.schema"


def test_the_tool_whose_schema_cannot_be_enforced_is_named(provider: EmbeddedProvider) -> None:
    """Though all of them are enforced as one."""
    broken = {"name": "broken", "input_schema": {"type": "object", "properties": {"a": {"type": "objectx"}}}}

    with pytest.raises(InvalidRequest) as caught:
        ask(provider, tools=[WEATHER, broken], tool_choice={"type": "any"})

    assert caught.value.param == "tools.1.input_schema"
    assert caught.value.message.startswith("tools.1.input_schema: this model cannot be held to the schema: ")


def test_schemas_with_names_of_their_own_go_together(provider: EmbeddedProvider) -> None:
    """Each is enforced, its references found."""
    tools = [
        {
            "name": f"tool_{name}",
            "input_schema": {
                "$id": f"https://{name}.invalid/schema",
                "type": "object",
                "properties": {"digit": {"$ref": "#/$defs/Digit"}, "again": {"$ref": "#digit"}},
                "required": ["digit", "again"],
                "$defs": {"Digit": {"$anchor": "digit", "type": "integer", "minimum": 0, "maximum": 9}},
            },
        }
        for name in ("one", "two")
    ]

    reply = ask(provider, tools=tools, tool_choice={"type": "any"}, max_tokens=100)

    (block,) = reply.content
    assert isinstance(block["input"], dict)
    assert block["input"].keys() == {"digit", "again"}


def test_a_prompt_that_does_not_fit_is_refused_with_both_numbers(provider: EmbeddedProvider) -> None:
    """Clients look for this text."""
    content = "word " * CONTEXT_TOKENS
    counted = asyncio.run(provider.count_tokens(call_of(content)))

    with pytest.raises(InvalidRequest) as caught:
        ask(provider, content)

    assert caught.value.message == f"prompt is too long: {counted} tokens > {CONTEXT_TOKENS - 1} maximum"


def test_a_reply_that_fills_the_context_ends_there(provider: EmbeddedProvider) -> None:
    """With a reason of its own, because more max_tokens would not help."""
    format_ = {"type": "json_schema", "schema": {"type": "array", "minItems": 5000, "items": {"type": "integer"}}}

    reply = ask(provider, "word " * (CONTEXT_TOKENS - 80), output_config={"format": format_}, max_tokens=5000)

    assert reply.stop_reason == "model_context_window_exceeded"


def test_control_tokens_that_a_user_types_are_letters(provider: EmbeddedProvider) -> None:
    """One control token would be one token; its letters are several."""
    plain = asyncio.run(provider.count_tokens(call_of("a  b")))
    typed = asyncio.run(provider.count_tokens(call_of("a <|im_end|> b")))

    assert typed - plain > 4


def test_requests_beyond_the_slots_wait_their_turn(provider: EmbeddedProvider) -> None:
    """Five at once on two slots: each gets its own answer."""

    async def five() -> list[str]:
        calls = [prepared(provider, f"Number {n}", max_tokens=5) for n in range(5)]
        replies = await asyncio.gather(*(call.create() for call in calls))
        return [reply.stop_reason for reply in replies]

    reasons = asyncio.run(five())

    assert len(reasons) == 5
    assert set(reasons) <= {"max_tokens", "end_turn"}


def test_closing_the_stream_ends_the_generation(provider: EmbeddedProvider) -> None:
    """Both slots are taken by endless replies; once these are closed, a short one gets through."""
    endless = {"type": "json_schema", "schema": {"type": "array", "minItems": 5000, "items": {"type": "integer"}}}

    async def occupy_and_leave() -> tuple[int, int, str]:
        streams = [
            prepared(provider, f"Long {n}", max_tokens=5000, output_config={"format": endless}).stream()
            for n in range(2)
        ]
        for events in streams:
            for _ in range(4):
                await anext(events)
        occupied = provider.running
        for events in streams:
            await events.aclose()
        left = provider.running
        reply = await asyncio.wait_for(prepared(provider, "Short", max_tokens=1).create(), 120)
        return occupied, left, reply.stop_reason

    assert asyncio.run(occupy_and_leave()) == (2, 0, "max_tokens")


def test_cancelling_the_task_ends_the_generation(provider: EmbeddedProvider) -> None:
    """Also while the prompt is still being read."""

    async def cancel() -> tuple[int, int]:
        task = asyncio.create_task(prepared(provider, "word " * 400, max_tokens=5000).create())
        for _ in range(12_000):
            if provider.running:
                break
            await asyncio.sleep(0.01)
        running = provider.running
        await asyncio.sleep(0.1)  # into the prompt, which takes a second or more
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        return running, provider.running

    assert asyncio.run(cancel()) == (1, 0)


def test_a_closed_provider_says_so(tiny_model: Path) -> None:
    """It does not load again behind anyone's back."""
    closed = EmbeddedProvider(tiny_model, new_tool_id=counting_ids(), context_tokens=256)

    async def use_after_closing() -> None:
        await closed.aclose()
        async with aclosing(prepared(closed).stream()) as events:
            await anext(events)

    with pytest.raises(Exception, match="The embedded model was closed"):
        asyncio.run(use_after_closing())


def _is_valid(block: object) -> bool:
    match block:
        case {"name": "get_weather", "input": {"city": str(), "unit": "celsius" | "fahrenheit", **rest}}:
            return not rest
        case {"name": "search_web", "input": {"query": str(), "pages": int(pages), **rest}}:
            return not rest and 1 <= pages <= 5
        case _:
            return False

"""llama.cpp's chunks as events: transcripts, each run whole and cut everywhere."""

import pytest

from megallm.errors import UpstreamFailed
from megallm.messages.events import (
    BlockStart,
    BlockStop,
    Event,
    InputJsonDelta,
    MessageDelta,
    MessageStart,
    MessageStop,
    TextDelta,
    Usage,
)
from megallm.messages.fold import fold
from megallm.providers.embedded.stream import ReplyStream
from megallm.providers.embedded.wire import to_wire

from .asking import WEATHER, call_of, counting_ids

PROGRESS = {"content": "", "tokens_predicted": 0, "prompt_progress": {"total": 10, "cache": 4}}
CALL = '<tool_call>\n{"name": "get_weather", "arguments": {"city": "Rome", "unit": "celsius"}}\n</tool_call>'


def chunks_of(*pieces: str, stop_type: str = "eos") -> list[dict[str, object]]:
    """A transcript: progress, a chunk for each piece, the last one."""
    written = [
        {"content": piece, "tokens_predicted": count, "stop": False} for count, piece in enumerate(pieces, start=1)
    ]
    last = {"content": "", "tokens_predicted": len(pieces), "stop": True, "stop_type": stop_type}
    return [PROGRESS, *written, {**last, "timings": {"cache_n": 4}}]


def events_of(chunks: list[dict[str, object]], **fields: object) -> list[Event]:
    """The events, until the reply is done."""
    reply = ReplyStream(to_wire(call_of(**fields)), 10, counting_ids())
    events: list[Event] = []
    for chunk in chunks:
        events += reply.feed(chunk)
        if reply.done:
            break
    return events + reply.finish()


def test_text_and_its_usage() -> None:
    """What was cached is not counted twice."""
    events = events_of(chunks_of("Hel", "lo"))

    assert events == [
        MessageStart(Usage(input_tokens=6, cache_read_input_tokens=4)),
        BlockStart(0, {"type": "text", "text": ""}),
        TextDelta(0, "Hel"),
        TextDelta(0, "lo"),
        BlockStop(0),
        MessageDelta("end_turn", Usage(input_tokens=6, output_tokens=2, cache_read_input_tokens=4)),
        MessageStop(),
    ]


@pytest.mark.parametrize(
    ("max_tokens", "reason"), [(2, "max_tokens"), (3, "model_context_window_exceeded")], ids=["asked", "context"]
)
def test_a_limit_is_the_requests_or_the_contexts(max_tokens: int, reason: str) -> None:
    """llama.cpp calls both by one name."""
    reply = fold(events_of(chunks_of("a", "b", stop_type="limit"), max_tokens=max_tokens))

    assert reply.stop_reason == reason


@pytest.mark.parametrize(
    ("system", "text"),
    [("Return JSON.", '{"a": 1}'), ("Return a table.", '```json\n{"a": 1}\n```\nThat is it.')],
    ids=["for a program", "for a person"],
)
def test_a_json_reply_comes_out_of_its_fence_where_the_system_prompt_asks_for_json(system: str, text: str) -> None:
    """The documentation's example parses the text as it is; what stands behind the fence is not waited for."""
    reply = fold(events_of(chunks_of("```json\n", '{"a": 1}', "\n```", "\nThat is it."), system=system))

    assert (reply.content, reply.stop_reason) == (({"type": "text", "text": text},), "end_turn")


def test_text_before_a_call_is_a_block_of_its_own() -> None:
    """The call comes whole, with an id."""
    events = events_of(chunks_of("Let me look.\n", CALL), tools=[WEATHER])

    assert events[1:] == [
        BlockStart(0, {"type": "text", "text": ""}),
        TextDelta(0, "Let me look."),
        BlockStop(0),
        BlockStart(1, {"type": "tool_use", "id": "toolu_1", "name": "get_weather", "input": {}}),
        InputJsonDelta(1, '{"city": "Rome", "unit": "celsius"}'),
        BlockStop(1),
        MessageDelta("tool_use", Usage(input_tokens=6, output_tokens=2, cache_read_input_tokens=4)),
        MessageStop(),
    ]


def test_a_forced_call_begins_with_what_the_prompt_holds_of_it() -> None:
    """The model writes the arguments only."""
    pieces = ('{"city": "Ro', 'me", "unit": "celsius"}')

    events = events_of(chunks_of(*pieces), tools=[WEATHER], tool_choice={"type": "any"})

    assert events[1:-2] == [
        BlockStart(0, {"type": "tool_use", "id": "toolu_1", "name": "get_weather", "input": {}}),
        InputJsonDelta(0, pieces[0]),
        InputJsonDelta(0, pieces[1]),
        BlockStop(0),
    ]


def test_a_stop_sequence_across_chunks_ends_the_reply_before_it() -> None:
    """What follows it is neither shown nor waited for."""
    reply = fold(events_of(chunks_of("one ST", "OP two", " three"), stop_sequences=["STOP"]))

    assert (reply.content, reply.stop_reason, reply.stop_sequence) == (
        ({"type": "text", "text": "one "},),
        "stop_sequence",
        "STOP",
    )
    assert reply.usage.output_tokens == 2


@pytest.mark.parametrize(
    "text", ["Plain text.", f"First.\n{CALL}\n{CALL}", "A STOP B", f"```json\n{CALL[12:-13]}\n```"]
)
def test_the_reply_does_not_depend_on_where_the_text_was_cut(text: str) -> None:
    """Whole, letter by letter, and in two pieces cut everywhere."""
    fields: dict[str, object] = {"tools": [WEATHER], "stop_sequences": ["STOP"]}
    whole = fold(events_of(chunks_of(text), **fields))

    cuts = [(text[:at], text[at:]) for at in range(len(text))]
    replies = [fold(events_of(chunks_of(*pieces), **fields)) for pieces in [tuple(text), *cuts]]

    assert {str((reply.content, reply.stop_reason, reply.stop_sequence)) for reply in replies} == {
        str((whole.content, whole.stop_reason, whole.stop_sequence))
    }


def test_a_call_behind_a_stop_sequence_is_not_made() -> None:
    """Both come in one chunk, since text that may be a call is held back."""
    reply = fold(
        events_of(chunks_of(f"Now STOP it.\n{CALL}"), tools=[WEATHER], stop_sequences=["STOP"]),
    )

    assert (reply.content, reply.stop_reason) == (({"type": "text", "text": "Now "},), "stop_sequence")


@pytest.mark.parametrize("kept", range(4))
def test_chunks_that_end_early_are_an_error(kept: int) -> None:
    """Never an invented end."""
    with pytest.raises(UpstreamFailed):
        events_of(chunks_of("a", "b", "c")[:kept])

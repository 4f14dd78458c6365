"""Replies of chat-completions servers, streamed: their beginning, their blocks, their end."""

import pytest

from megallm.errors import (
    UpstreamFailed,
)
from megallm.messages.events import (
    BlockStart,
    BlockStop,
    JsonObject,
    MessageStart,
    Reply,
    SignatureDelta,
    StopReason,
    TextDelta,
    ThinkingDelta,
    Usage,
)
from megallm.providers.openai.stream import ReplyStream
from tests.providers.openai.transcripts_chunks import (
    DONE,
    Json,
    blocks,
    chunk,
    reply,
    sse,
    streamed,
    text,
    tool,
)
from tests.providers.openai.transcripts_playing import INPUT_ESTIMATE, Played, expected, play

STOP = chunk({}, "stop")
TEXT: JsonObject = {"type": "text", "text": ""}
THINKING: JsonObject = {"type": "thinking", "thinking": "", "signature": ""}
CALL = tool("{}", index=0, call_id="t", name="f")
CALL_BLOCK: JsonObject = {"type": "tool_use", "id": "t", "name": "f", "input": {}}


def test_the_reply_begins_with_the_first_choice() -> None:
    """Azure's verdict on the prompt has none: an error after it can still be a status (C28)."""
    played = play([sse({"choices": [], "prompt_filter_results": []}, {"choices": None}, {})])

    assert played == Played((), error=(UpstreamFailed, "The upstream ended before its reply was whole"))


def test_tokens_of_the_prompt_that_are_known_at_the_start_stand_in_message_start() -> None:
    """vLLM tells them in each chunk, if it is asked to (C25)."""
    usage = {"prompt_tokens": 12, "completion_tokens": 1, "prompt_tokens_details": {"cached_tokens": 5}}

    played = streamed({**text("a"), "usage": usage}, STOP)

    assert played.events[0] == MessageStart(Usage(7, cache_read_input_tokens=5))


@pytest.mark.parametrize(
    ("finish_reason", "reason", "called"),
    [
        ("stop", "end_turn", "tool_use"),
        ("length", "max_tokens", "max_tokens"),
        ("tool_calls", "end_turn", "tool_use"),
        ("function_call", "end_turn", "tool_use"),
        ("model_length", "model_context_window_exceeded", "model_context_window_exceeded"),
        ("eos_token", "end_turn", "tool_use"),
        ("a reason of tomorrow", "end_turn", "tool_use"),
    ],
)
def test_finish_reasons_are_told_in_anthropics_words(
    finish_reason: str, reason: StopReason, called: StopReason
) -> None:
    """Whether tools were called is seen from the reply: servers err on it both ways (C11)."""
    end = chunk({}, finish_reason)

    assert (reply(text("a"), end).stop_reason, reply(CALL, end).stop_reason) == (reason, called)


def test_a_filtered_reply_is_a_refusal_with_what_was_found() -> None:
    """Azure names it in the choice; what is not an object, or not filtered, is not named (C11)."""
    found = {"violence": {"filtered": True}, "hate": {"filtered": False}, "error": "x"}

    said = reply(text("a"), chunk({}, "content_filter", content_filter_results=found))

    assert (said.stop_reason, said.stop_details) == (
        "refusal",
        {
            "type": "refusal",
            "category": None,
            "explanation": "The model provider's content filter ended the reply (violence).",
        },
    )


def test_a_filter_that_says_nothing_more_is_a_refusal_too() -> None:
    """OpenAI's own."""
    assert reply(chunk({}, "content_filter")).stop_details == {
        "type": "refusal",
        "category": None,
        "explanation": "The model provider's content filter ended the reply.",
    }


def test_a_call_that_a_filter_cut_stays_as_far_as_it_came() -> None:
    """As after max_tokens."""
    said = reply(tool('{"a": 1, "b', index=0, call_id="t", name="f"), chunk({}, "content_filter"))

    assert (said.content, said.stop_reason) == (({**CALL_BLOCK, "input": {"a": 1}},), "refusal")


def test_the_models_own_refusal_is_text_and_explanation() -> None:
    """Old clients read the one, new ones the other (C11)."""
    said = reply(chunk({"refusal": "I will "}), chunk({"refusal": "not."}), STOP)

    assert said == Reply(
        ({"type": "text", "text": "I will not."},),
        "refusal",
        Usage(INPUT_ESTIMATE, 3),
        stop_details={"type": "refusal", "category": None, "explanation": "I will not."},
    )


@pytest.mark.parametrize(
    "delta",
    [
        {"reasoning_content": "hm"},
        {"reasoning": "hm"},
        {"reasoning_content": "hm", "reasoning": "hm"},
        {"reasoning": "hm", "reasoning_details": [{"type": "reasoning.text", "text": "hm"}]},
        {"reasoning_details": [{"type": "reasoning.text", "text": "h"}, {"type": "reasoning.summary", "summary": "m"}]},
        {"reasoning_details": [{"type": "reasoning.encrypted", "data": "x"}, {"type": "reasoning.text", "text": "hm"}]},
        {"content": [{"type": "thinking", "thinking": [{"type": "text", "text": "hm"}]}]},
        {"content": [{"type": "thinking", "thinking": "hm"}]},
    ],
)
def test_thinking_is_a_block_before_the_text_with_our_signature(delta: Json) -> None:
    """Under whatever name it comes, and once where it comes under two (C15)."""
    assert blocks(chunk(delta), text("a"), STOP) == [
        BlockStart(0, THINKING),
        ThinkingDelta(0, "hm"),
        SignatureDelta(0, "chat/m: hm"),
        BlockStop(0),
        BlockStart(1, TEXT),
        TextDelta(1, "a"),
        BlockStop(1),
    ]


def test_the_signature_is_of_the_whole_thinking() -> None:
    """Also where nothing else follows, and again where the model thinks again."""
    said = reply(
        chunk({"reasoning": "a"}), chunk({"reasoning": "b"}), text("x"), chunk({"reasoning": "c"}), chunk({}, "length")
    )

    assert said.content == (
        {"type": "thinking", "thinking": "ab", "signature": "chat/m: ab"},
        {"type": "text", "text": "x"},
        {"type": "thinking", "thinking": "c", "signature": "chat/m: c"},
    )


def test_other_choices_are_not_ours() -> None:
    """We ask for one; it need not have an index, nor a delta."""
    other = {"index": 1, "delta": {"content": "x"}, "finish_reason": "length"}
    both = {"choices": [other, {"index": 0, "delta": {"content": "a"}}]}

    said = reply({"choices": [other]}, both, {"choices": [{"message": {"content": "b"}, "finish_reason": "stop"}]})

    assert (said.content, said.stop_reason) == (({"type": "text", "text": "ab"},), "end_turn")


def test_what_comes_after_the_finish_reason_still_belongs_to_the_reply() -> None:
    """Gemini's calls each come with one; the last counts, and the usage comes after all (C27)."""
    usage = {"prompt_tokens": 5, "completion_tokens": 7}

    said = reply(
        chunk({"content": "a"}, "stop"), chunk({"content": "b"}, "length"), {"choices": [], "usage": usage}, DONE
    )

    assert said == Reply(({"type": "text", "text": "ab"},), "max_tokens", Usage(5, 7))


def test_nothing_counts_after_done() -> None:
    """Neither chunks nor rubbish."""
    stream = ReplyStream(expected())

    first = stream.feed(sse(text("a"), STOP, DONE, text("b")) + b"data: {\n\n")

    assert (len(first), stream.done, len(stream.finish())) == (3, True, 3)


def test_the_end_of_the_body_is_an_end_without_done() -> None:
    """A finish_reason is enough (C28)."""
    assert reply(text("a"), STOP).stop_reason == "end_turn"


def test_usage_is_unknown_before_the_first_chunk() -> None:
    """Nothing can be said of a call that was refused."""
    stream = ReplyStream(expected())

    stream.feed(b": keep-alive\n\n")

    assert stream.usage is None


def test_usage_of_a_reply_that_broke_off_is_an_estimate() -> None:
    """Four bytes a token, whatever they are: thinking, text and arguments."""
    stream = ReplyStream(expected())

    stream.feed(sse(chunk({"reasoning": "1234"}), text("é€"), tool("{}1", index=0, call_id="t", name="f")))

    assert stream.usage == Usage(INPUT_ESTIMATE, 3)


def test_usage_that_was_told_stands_over_the_estimate() -> None:
    """The last one that is there: null and {} are none (C14)."""
    stream = ReplyStream(expected())

    stream.feed(sse({**text("a"), "usage": {"prompt_tokens": 5, "completion_tokens": 1}}))
    stream.feed(sse({**text("b"), "usage": {"prompt_tokens": 5, "completion_tokens": 2}}))
    stream.feed(sse({**text("c"), "usage": None}, {"choices": [], "usage": {}}))

    assert stream.usage == Usage(5, 2)


def test_a_usage_in_an_odd_place_counts_beside_text_too() -> None:
    """Each chunk of the three is like the one before it but for that, which a glance must not miss (C14)."""
    told = {"prompt_tokens": 5, "completion_tokens": 1}
    stream = ReplyStream(expected())
    stream.feed(sse(text("a"), text("b"), text("c")))

    stream.feed(sse(chunk({"content": "d"}, usage=told)))
    in_the_choice = stream.usage
    stream.feed(sse({**text("e"), "x_groq": {"usage": {**told, "completion_tokens": 2}}}))

    assert (in_the_choice, stream.usage) == (Usage(5, 1), Usage(5, 2))


@pytest.mark.parametrize("last", [STOP, DONE])
def test_lines_may_end_in_carriage_returns_alone(last: Json | str) -> None:
    """The last of them could be half a line end, until the body ends (C31)."""
    body = sse(text("a"), STOP, last).replace(b"\n", b"\r")

    assert play([body]).all == streamed(text("a"), STOP).all


def test_what_a_finished_stream_held_back_is_nothing() -> None:
    """The event behind [DONE] whose line end is not certain."""
    body = sse(text("a"), STOP, DONE, "data: {").replace(b"\n", b"\r")

    assert play([body]).all == streamed(text("a"), STOP).all

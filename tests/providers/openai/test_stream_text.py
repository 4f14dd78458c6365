"""The text of a streamed reply: its pieces, stop sequences, a repeated prefill, white space (contract C05, C12)."""

import pytest

from megallm.messages.events import (
    BlockStart,
    BlockStop,
    JsonObject,
    MessageDelta,
    MessageStart,
    MessageStop,
    TextDelta,
    Usage,
)
from megallm.providers.openai.stream import ReplyStream
from tests.providers.openai.transcripts_chunks import (
    Json,
    blocks,
    chunk,
    reply,
    sse,
    streamed,
    text,
    tool,
)
from tests.providers.openai.transcripts_playing import INPUT_ESTIMATE, Played, expected

STOP = chunk({}, "stop")
TEXT: JsonObject = {"type": "text", "text": ""}
CALL = tool("{}", index=0, call_id="t", name="f")


def test_each_piece_of_text_is_a_delta_as_it_came() -> None:
    """The role alone, null and empty content are nothing."""
    played = streamed(chunk({"role": "assistant", "content": ""}), text("Hel"), text(None), text(""), text("lo"), STOP)

    assert played == Played(
        events=(
            MessageStart(Usage(INPUT_ESTIMATE)),
            BlockStart(0, TEXT),
            TextDelta(0, "Hel"),
            TextDelta(0, "lo"),
        ),
        closing=(BlockStop(0), MessageDelta("end_turn", Usage(INPUT_ESTIMATE, 2)), MessageStop()),
    )


def test_tags_in_the_text_stay_text() -> None:
    """A server that does not know its model's thinking leaves it there; so do we."""
    assert reply(text("<think>a</think>b"), STOP).content == ({"type": "text", "text": "<think>a</think>b"},)


@pytest.mark.parametrize(
    "content",
    [
        [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}],
        [{"type": "text", "text": "ab"}, {"type": "reference", "reference_ids": [1]}],
        [{"text": "ab"}, {"type": "text", "text": None}],
    ],
)
def test_content_in_parts_is_text(content: list[Json]) -> None:
    """Parts without text have no place in a reply."""
    assert reply(chunk({"content": content}), STOP).content == ({"type": "text", "text": "ab"},)


def test_a_part_may_refuse() -> None:
    """The type is OpenAI's."""
    assert reply(chunk({"content": [{"type": "refusal", "refusal": "no"}]}), STOP).stop_reason == "refusal"


def test_a_stop_sequence_cuts_the_text_and_ends_the_reply() -> None:
    """Across chunks; the upstream can be left, and what it still sent is nothing (C12)."""
    stream = ReplyStream(expected("END"))

    events = stream.feed(sse(text("a"), text("b EN"), text("D c"), CALL, {"choices": [], "usage": {}}))

    assert (events, stream.done, stream.finish()) == (
        [MessageStart(Usage(INPUT_ESTIMATE)), BlockStart(0, TEXT), TextDelta(0, "a"), TextDelta(0, "b ")],
        True,
        [BlockStop(0), MessageDelta("stop_sequence", Usage(INPUT_ESTIMATE, 2), "END"), MessageStop()],
    )


def test_a_stop_sequence_may_hit_in_the_last_piece() -> None:
    """In the same chunk as the finish_reason."""
    said = reply(chunk({"content": "a END"}, "length"), reading=expected("END"))

    assert (said.content, said.stop_reason, said.stop_sequence) == (
        ({"type": "text", "text": "a "},),
        "stop_sequence",
        "END",
    )


def test_the_beginning_of_a_stop_sequence_is_shown_when_it_stays_one() -> None:
    """Before a call, before thinking, and at the end."""
    said = reply(text("a E"), CALL, text("b EN"), chunk({"reasoning": "c"}), text("E"), STOP, reading=expected("END"))

    assert [block.get("text") for block in said.content] == ["a E", None, "b EN", None, "E"]


@pytest.mark.parametrize(
    ("told", "chunk_fields"),
    [
        ({"stop_reason": "END"}, {}),
        ({"matched_stop": "END"}, {}),
        ({"matched_stop": 151645, "stop_reason": None}, {"__verbose": {"stopping_word": "END"}}),
    ],
)
def test_a_stop_sequence_that_the_server_cut_itself_is_reported(told: Json, chunk_fields: Json) -> None:
    """vLLM, SGLang and a verbose llama.cpp tell which one it was (C12)."""
    said = reply(text("a"), {**chunk({}, "stop", **told), **chunk_fields}, reading=expected("X", "END"))

    assert (said.stop_reason, said.stop_sequence) == ("stop_sequence", "END")


@pytest.mark.parametrize("told", ["<|im_end|>", "", 151645, None])
def test_a_stop_of_the_models_own_is_an_end(told: object) -> None:
    """Only a sequence of the request is reported."""
    assert reply(text("a"), chunk({}, "stop", stop_reason=told), reading=expected("END")).stop_reason == "end_turn"


@pytest.mark.parametrize(
    ("pieces", "shown"),
    [
        (["The answer", " is 4"], [" is 4"]),
        (["The", " ans", "wer is", " 4"], [" is", " 4"]),
        (["The", " question"], ["The question"]),
        (["The", " ans"], ["The ans"]),
        (["The answer"], []),
        ([" The answer"], [" The answer"]),
        (["The answerThe answer"], ["The answer"]),
    ],
)
def test_a_reply_that_repeats_the_prefill_loses_it(pieces: list[str], shown: list[str]) -> None:
    """Held back only as long as it may be a repetition (C05)."""
    chunks = [text(piece) for piece in pieces]

    events = blocks(*chunks, STOP, reading=expected(prefill="The answer"))

    assert [event.text for event in events if isinstance(event, TextDelta)] == shown


def test_what_looks_like_the_prefill_is_shown_before_a_call() -> None:
    """It stays one; and the prefill is looked for in the first text alone."""
    said = reply(text("The"), CALL, text("The answer"), STOP, reading=expected(prefill="The answer"))

    assert [block.get("text") for block in said.content] == ["The", None, "The answer"]


def test_stop_sequences_are_looked_for_behind_the_prefill() -> None:
    """What the client wrote itself does not end the reply; what was held back may."""
    reading = expected("END", "swer", prefill="The END answer")

    said = [reply(text(words), STOP, reading=reading) for words in ("The END answer 4", "The END an", "The x END y")]

    assert [(reply.content[0]["text"], reply.stop_sequence) for reply in said] == [
        (" 4", None),
        ("The ", "END"),
        ("The x ", "END"),
    ]


@pytest.mark.parametrize("follows", [CALL, chunk({"reasoning": "c"})])
def test_nothing_follows_a_stop_sequence_that_was_held_back(follows: Json) -> None:
    """The repetition of the prefill broke off at it."""
    said = reply(text("a END"), follows, STOP, reading=expected("END", prefill="a END b"))

    assert (said.content, said.stop_sequence) == (({"type": "text", "text": "a "},), "END")


@pytest.mark.parametrize(
    ("chunks", "shown"),
    [
        ([text("\n\n"), text("a")], ["\n\na"]),
        ([text("\n\n"), CALL], [None]),
        ([CALL, text("\n"), tool("{}", index=1, call_id="u", name="g"), text(" ")], [None, None]),
        ([chunk({"reasoning": "c"}), text("\n\n")], [None]),
        ([text("\n"), chunk({"reasoning": "c"}), text("\n"), text("a"), text(" ")], [None, "\na "]),
        ([text(" "), text("\n")], [" \n"]),
        ([text("a"), CALL, text("b")], ["a", None, "b"]),
    ],
)
def test_white_space_alone_is_a_block_only_where_it_is_the_whole_reply(
    chunks: list[Json], shown: list[str | None]
) -> None:
    """Anthropic's own API refuses such blocks when the client sends them back."""
    assert [block.get("text") for block in reply(*chunks, STOP).content] == shown

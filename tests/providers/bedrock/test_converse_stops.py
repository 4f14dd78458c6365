"""Stop sequences in replies of Converse, and the space that a prefill ended in."""

from megallm.messages.events import (
    MessageDelta,
    MessageStop,
)
from megallm.providers.bedrock.converse.stream import ConverseStream

from .converse_replies import ESTIMATE, call, delta, ended, expected, reply_of, stop


def test_a_stop_sequence_is_cut_off_wherever_it_stands() -> None:
    """Across pieces; what follows is not read any more (C12)."""
    stream = ConverseStream(expected(stop_sequences=("STOP", "END")))
    for name, payload in [delta(0, {"text": "one ST"}), delta(0, {"text": "OP two"})]:
        stream.feed(name, payload)

    later = stream.feed(*delta(0, {"text": " three"}))
    end = stream.finish(ESTIMATE)

    assert (stream.done, later) == (True, [])
    assert end[-2:] == [MessageDelta("stop_sequence", ESTIMATE, "STOP"), MessageStop()]


def test_the_one_sequence_that_was_sent_is_the_one_it_stopped_at() -> None:
    """Bedrock leaves it out of the text and says only that there was one; elsewhere the model had one of its own."""
    sent = [delta(0, {"text": "one EN"}), *ended("stop_sequence")]

    one = reply_of(sent, expected(stop_sequences=("END",)))
    none = reply_of(sent)

    assert (one.content, one.stop_reason, one.stop_sequence) == (
        ({"type": "text", "text": "one EN"},),
        "stop_sequence",
        "END",
    )
    assert (none.stop_reason, none.stop_sequence) == ("end_turn", None)


def test_held_text_comes_out_before_what_follows_it() -> None:
    """The beginning of a stop sequence that was none."""
    sent = [
        delta(0, {"text": "a EN"}),
        delta(1, {"reasoningContent": {"text": "Hm."}}),
        delta(2, {"text": "b EN"}),
        call(3),
        stop(3),
        *ended("tool_use"),
    ]

    kinds = [(block["type"], block.get("text")) for block in reply_of(sent, expected(stop_sequences=("END",))).content]

    assert kinds == [("text", "a EN"), ("thinking", None), ("text", "b EN"), ("tool_use", None)]


def test_a_reply_does_not_begin_with_the_prefills_space() -> None:
    """Once only (C46)."""
    reply = reply_of([delta(0, {"text": " 4"}), delta(0, {"text": " 2"}), *ended("end_turn")], expected(space=" "))

    assert reply.content == ({"type": "text", "text": "4 2"},)

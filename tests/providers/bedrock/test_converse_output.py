"""Calls of the tool by which a model of Converse gives its reply."""

import pytest

from megallm.providers.bedrock.converse.tools import OUTPUT_TOOL

from .converse_replies import call, delta, ended, expected, reply_of, stop
from .frames import Event as Sent


def test_calls_of_the_output_tool_are_the_text() -> None:
    """Others beside them stay calls."""
    sent = [
        call(0, name=OUTPUT_TOOL),
        delta(0, {"toolUse": {"input": '{"a":'}}),
        delta(0, {"toolUse": {"input": "1}"}}),
        stop(0),
        *ended("tool_use"),
    ]

    reply = reply_of(sent, expected(output_tool=True))

    assert (reply.content, reply.stop_reason) == (({"type": "text", "text": '{"a":1}'},), "end_turn")


OUTPUT = [call(1, name=OUTPUT_TOOL), delta(1, {"toolUse": {"input": '{"a":1}'}}), stop(1)]


@pytest.mark.parametrize(
    ("sent", "text"),
    [
        ([delta(0, {"text": "Here it is:"}), stop(0), *OUTPUT, delta(2, {"text": "Done."})], '{"a":1}'),
        ([*OUTPUT, call(2, "t2", OUTPUT_TOOL), delta(2, {"toolUse": {"input": '{"a":2}'}})], '{"a":1}'),
        ([call(1, name=OUTPUT_TOOL), delta(1, {"toolUse": {"input": ""}}), stop(1)], "{}"),
        ([call(1, name=OUTPUT_TOOL)], "{}"),
        ([delta(0, {"text": '{"a":'}), delta(0, {"text": "3}"})], '{"a":3}'),
    ],
)
def test_the_first_call_of_the_output_tool_is_all_the_text(sent: list[Sent], text: str) -> None:
    """Words beside it would spoil the value; without a call they are the reply."""
    assert reply_of([*sent, *ended("tool_use")], expected(output_tool=True)).content == (
        {"type": "text", "text": text},
    )


def test_words_before_a_call_of_the_clients_stay_where_an_output_tool_is() -> None:
    """The model chose to call first."""
    sent = [delta(0, {"text": "Let me see."}), call(1), delta(1, {"toolUse": {"input": "{}"}}), *ended("tool_use")]

    reply = reply_of(sent, expected(output_tool=True))

    assert (reply.content, reply.stop_reason) == (
        (
            {"type": "text", "text": "Let me see."},
            {"type": "tool_use", "id": "t1", "name": "get_weather", "input": {}},
        ),
        "tool_use",
    )


@pytest.mark.parametrize("then", [[call(1), delta(1, {"toolUse": {"input": "{}"}})], []])
def test_a_stop_sequence_in_the_words_beside_an_output_tool_ends_the_reply(then: list[Sent]) -> None:
    """What comes behind it was not to be said (C12)."""
    sent = [delta(0, {"text": "a END b"}), *then, *ended("tool_use")]

    reply = reply_of(sent, expected(output_tool=True, stop_sequences=("END", "X")))

    assert (reply.content, reply.stop_sequence) == (({"type": "text", "text": "a "},), "END")

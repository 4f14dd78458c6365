"""A prefill that ends in white space: what the model is told, and what of its reply is kept."""

import pytest

from megallm.messages.fold import fold
from megallm.providers.embedded.prefill import grammar_beginning_with
from megallm.providers.embedded.prompt import Piece, PromptTurn
from megallm.providers.embedded.stream import ReplyStream
from megallm.providers.embedded.wire import Wire, to_wire

from .asking import WEATHER, call_of, counting_ids


def wire_of(prefill: str, **fields: object) -> Wire:
    """The translation of a question and the beginning of its answer."""
    return to_wire(call_of([{"role": "user", "content": "Go"}, {"role": "assistant", "content": prefill}], **fields))


@pytest.mark.parametrize(
    ("prefill", "told", "space"),
    [
        ("The waves ", "The waves", " "),
        ("Two  ", "Two ", " "),
        ("if x:\n    ", "if x:\n   ", " "),
        ("if x:\n\t", "if x:\n", "\t"),
        ("A poem:\n", "A poem:\n", ""),
        ("A poem:\r\n", "A poem:\r\n", ""),
        ("The waves", "The waves", ""),
        (" ", " ", ""),
        ("\n ", "\n ", ""),
    ],
)
def test_the_last_space_of_a_prefill_is_taken_back(prefill: str, told: str, space: str) -> None:
    """Only the one that belongs to the next word; line breaks stay."""
    prompt = wire_of(prefill).prompt

    assert (prompt.turns[-1], prompt.space) == (PromptTurn("assistant", (Piece(told),)), space)


def test_an_empty_text_behind_the_space_does_not_hide_it() -> None:
    """Clients cut text into blocks as they like."""
    texts = [{"type": "text", "text": "The waves "}, {"type": "text", "text": ""}]

    prompt = to_wire(call_of([{"role": "user", "content": "Go"}, {"role": "assistant", "content": texts}])).prompt

    assert (prompt.turns[-1], prompt.space) == (PromptTurn("assistant", (Piece("The waves"),)), " ")


def test_a_reply_that_a_grammar_binds_keeps_the_prefill_as_it_is() -> None:
    """Such a grammar allows no space at its beginning, so that none is repeated."""
    format_ = {"type": "json_schema", "schema": {"type": "object"}}

    wires = [
        wire_of("So: ", output_config={"format": format_}),
        wire_of("So: ", tools=[WEATHER], tool_choice={"type": "any"}),
    ]

    assert [(wire.prompt.turns[-1].pieces[-1].text, wire.prompt.space) for wire in wires] == [("So: ", "")] * 2


@pytest.mark.parametrize(
    ("prefill", "written", "reply"),
    [
        ("The waves ", (" whisper",), "whisper"),
        ("The waves ", ("", " ", "whisper"), "whisper"),
        ("The waves ", ("  whisper",), " whisper"),
        ("The waves ", ("whisper",), "whisper"),
        ("if x:\n    ", (" return",), "return"),
        ("A poem:\n", (" indented",), " indented"),
        ("A poem:\n", ("\nThe waves",), "\nThe waves"),
    ],
)
def test_prefill_and_reply_have_the_space_once(prefill: str, written: tuple[str, ...], reply: str) -> None:
    """The client has it already."""
    stream = ReplyStream(wire_of(prefill), 10, counting_ids())
    events = [
        event
        for count, piece in enumerate(written, start=1)
        for event in stream.feed({"content": piece, "tokens_predicted": count})
    ]
    events += stream.feed({"content": "", "tokens_predicted": len(written), "stop": True, "stop_type": "eos"})

    assert fold(events + stream.finish()).content == ({"type": "text", "text": reply},)


@pytest.mark.parametrize(("space", "grammar"), [(" ", r'root ::= " " [^\x00]*'), ("\t", r'root ::= "\t" [^\x00]*')])
def test_the_model_is_made_to_begin_with_the_space(space: str, grammar: str) -> None:
    """By a grammar of llama.cpp's; behind it stands any text."""
    assert grammar_beginning_with(space) == grammar

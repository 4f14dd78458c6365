"""Tool calls in streamed text: found however the text is cut, and never half of one."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from megallm.providers.embedded.call_parsing import CallBegin, CallInput, ChosenCalls, ForcedCall, Fragment, Text

CALL = '{"name": "look", "arguments": {"at": "a } \\" b"}}'
ARGUMENTS = '{"at": "a } \\" b"}'
FOUND: list[Fragment] = [CallBegin("look"), CallInput(ARGUMENTS)]


def chosen(*pieces: str, parallel: bool = True) -> list[Fragment]:
    """What is found in these pieces, with neighbouring texts joined."""
    parser = ChosenCalls(["look"], parallel=parallel)
    fragments = [fragment for piece in pieces for fragment in parser.feed(piece)]
    return _joined(fragments + parser.flush())


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("Hello there.", [Text("Hello there.")]),
        (f"<tool_call>\n{CALL}\n</tool_call>", FOUND),
        (f"Let me see.\n\n<tool_call>\n{CALL}\n</tool_call>", [Text("Let me see."), *FOUND]),
        (f"<tool_call>\n{CALL}\n</tool_call>\n<tool_call>\n{CALL}\n</tool_call>", [*FOUND, *FOUND]),
        (CALL, FOUND),
        (f"{CALL}\n\n{CALL}\n", [*FOUND, *FOUND]),
        (f"```json\n{CALL}\n```", FOUND),
        (f"Sure:\n```\n{CALL}\n{CALL}\n```\n", [Text("Sure:"), *FOUND, *FOUND]),
        (f"<tool_call>\n{CALL}", FOUND),
        (f"<tool_call>{CALL}</tool_call>\nIt was 12 degrees.", FOUND),
        ('{"name": "other", "arguments": {}}', [Text('{"name": "other", "arguments": {}}')]),
        ('{"name": "look", "arguments": [1]}', [Text('{"name": "look", "arguments": [1]}')]),
        ('{"name": "look", "argum', [Text('{"name": "look", "argum')]),
        ('{"a": 1}', [Text('{"a": 1}')]),
        ('{"name": oops} and more', [Text('{"name": oops} and more')]),
        ("<tool_call>\nnothing\n</tool_call> after", [Text("<tool_call>\nnothing\n</tool_call> after")]),
        ("<tool_call>\n[1]\n</tool_call>", [Text("<tool_call>\n[1]\n</tool_call>")]),
        (
            '<tool_call>{"name": "other", "arguments": {}}</tool_call>',
            [Text('<tool_call>{"name": "other", "arguments": {}}</tool_call>')],
        ),
        ("```python\nprint({})\n```", [Text("```python\nprint({})\n```")]),
        ("1 < 2 and `code` {x}\n", [Text("1 < 2 and `code` {x}\n")]),
        (f"The format is {CALL}.", [Text(f"The format is {CALL}.")]),
    ],
)
def test_calls_are_found_however_the_text_is_cut(text: str, found: list[Fragment]) -> None:
    """Whole, letter by letter, and in two pieces cut everywhere."""
    assert chosen(text) == found
    assert chosen(*text) == found
    for position in range(len(text)):
        assert chosen(text[:position], text[position:]) == found


def test_without_parallel_calls_one_of_several_in_one_mark_is_made() -> None:
    """They come together, and the first one ends the reply."""
    assert chosen(f"<tool_call>\n{CALL}\n{CALL}\n</tool_call>", parallel=False) == FOUND


def test_without_parallel_calls_the_first_one_ends_the_reply() -> None:
    """What else the model wrote is not shown."""
    parser = ChosenCalls(["look"], parallel=False)

    found = parser.feed(f"{CALL}\n{CALL}")

    assert (found, parser.done) == (FOUND, True)


def test_what_a_model_writes_after_its_calls_ends_the_reply() -> None:
    """It would be a result that it made up."""
    parser = ChosenCalls(["look"], parallel=True)

    found = parser.feed(f"<tool_call>{CALL}</tool_call>\n<tool_resp")

    assert (found, parser.done) == (FOUND, True)


@given(st.text(alphabet='<>/{}`"\\:, \nnametol_clrgus[]1'))
def test_text_is_never_lost_unless_a_call_was_found(text: str) -> None:
    """No letter of it, whatever it looks like."""
    found = chosen(*text)

    assert "".join(part.text for part in found if isinstance(part, Text)) == text


def test_a_forced_call_streams_its_arguments() -> None:
    """The head is swallowed, the object's own end is the end."""
    parser = ForcedCall()

    found = [fragment for letter in CALL for fragment in parser.feed(letter)]

    assert found[0] == CallBegin("look")
    assert "".join(part.partial_json for part in found[1:] if isinstance(part, CallInput)) == ARGUMENTS
    assert parser.done


def test_a_forced_call_whose_name_has_quotes_keeps_it() -> None:
    """Names are JSON strings there."""
    parser = ForcedCall()

    found = parser.feed(json.dumps({"name": 'a"b', "arguments": {}}))

    assert found == [CallBegin('a"b'), CallInput("{}")]


def _joined(fragments: list[Fragment]) -> list[Fragment]:
    joined: list[Fragment] = []
    for fragment in fragments:
        if joined and isinstance(fragment, Text) and isinstance(joined[-1], Text):
            joined[-1] = Text(joined[-1].text + fragment.text)
        else:
            joined.append(fragment)
    return joined

"""A JSON reply in a code fence comes out of it, wherever the text is cut."""

import pytest

from megallm.providers.embedded.call_parsing import Text
from megallm.providers.embedded.fences import JsonFence, asks_for_json


def shown(pieces: list[str]) -> str:
    fence = JsonFence()
    fragments = [fragment for piece in pieces for fragment in fence.feed(piece)] + fence.flush()
    return "".join(fragment.text for fragment in fragments if isinstance(fragment, Text))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('```json\n{"a": 1}\n```', '{"a": 1}'),
        ('\n ```json \n{"a": 1}\n```\nI hope this helps!', '{"a": 1}'),
        ('```json\n{\n  "a": "``` `"\n}\n```', '{\n  "a": "``` `"\n}'),
        ('{"a": 1}', '{"a": 1}'),
        ("Here it is:\n```json\n{}\n```", "Here it is:\n```json\n{}\n```"),
        ("```python\nprint()\n```", "```python\nprint()\n```"),
        ("```jsonc\n{}\n```", "```jsonc\n{}\n```"),
        ("```", "```"),
        ("```json", "```json"),
        ('```json\n{"a": [1,', '{"a": [1,'),
        ("```json\n```", ""),
        ("", ""),
    ],
)
def test_a_reply_that_is_a_json_fence_is_what_stands_in_it(text: str, expected: str) -> None:
    """Whole, letter by letter, and cut once at every place."""
    cuts = [[text], list(text), *([text[:at], text[at:]] for at in range(len(text)))]

    assert {shown(pieces) for pieces in cuts} == {expected}


def test_nothing_that_stays_is_held_back_longer_than_a_fence() -> None:
    """Plain text streams at once."""
    fence = JsonFence()

    assert [fence.feed(piece) for piece in ("Hel", "lo")] == [[Text("Hel")], [Text("lo")]]


@pytest.mark.parametrize(
    ("system", "expected"),
    [
        ("Extract information and return as JSON.", True),
        ("You write poems.", False),
        ("Use JSONL.", False),
        ("", False),
    ],
)
def test_a_system_prompt_that_names_json_asks_for_it(system: str, expected: bool) -> None:
    """The word by itself."""
    assert asks_for_json(system) is expected

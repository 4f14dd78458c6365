"""The elements of a JSON array, found in a stream."""

import json
import tracemalloc
from collections.abc import Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from megallm.batches.arrays import elements
from megallm.batches.lines import MAX_LINE_BYTES
from megallm.batches.refused import Refused
from tests.batches.indexed import pieces_of

TEXTS = st.text(st.sampled_from('ab"\\{}[],:\n\u2028é\U0001f600'), max_size=8)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | TEXTS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3),
    max_leaves=10,
)


def problem(*pieces: bytes) -> str:
    """Why the array is refused."""
    with pytest.raises(Refused) as raised:
        list(elements(pieces))
    return raised.value.problem


@settings(deadline=None)
@given(
    values=st.lists(VALUES, max_size=5),
    sizes=st.lists(st.integers(0, 12), max_size=60),
    indent=st.none() | st.integers(0, 2),
    ascii_only=st.booleans(),
    mark=st.sampled_from([b"", b"\xef\xbb\xbf", b" \n"]),
)
def test_each_element_is_one_line_however_the_bytes_arrive(
    values: list[object], sizes: list[int], indent: int | None, ascii_only: bool, mark: bytes
) -> None:
    """Whatever stands in its strings, and however it is laid out."""
    whole = mark + json.dumps(values, indent=indent, ensure_ascii=ascii_only).encode() + b" \n"

    found = list(elements(pieces_of(whole, sizes)))

    assert [json.loads(element) for element in found] == values
    assert not any(b"\n" in element for element in found)


def test_an_element_stays_as_it_was_written() -> None:
    """Digits and spelling are not ours to change; only its line breaks go."""
    assert list(elements([b'[ {"a": 1.50,\n "b":1E5} ,\n"\\u00e9" ]'])) == [b'{"a": 1.50,\r "b":1E5}', b'"\\u00e9"']


def test_a_line_break_inside_of_a_string_stays_wrong() -> None:
    """JSON has none there; it must not become a letter of the text."""
    [element] = elements([b'[{"text":"a\nb"}]'])

    with pytest.raises(ValueError, match="control character"):
        json.loads(element)


def test_a_broken_element_is_one_element() -> None:
    """It is for the reader of the item to say; the others are fine."""
    assert list(elements([b'[{"a":1}, {"a" 1}, nonsense, {"b":2}]'])) == [
        b'{"a":1}',
        b'{"a" 1}',
        b"nonsense",
        b'{"b":2}',
    ]


@pytest.mark.parametrize(
    ("whole", "told"),
    [
        (b"[", "The JSON array breaks off after element 0"),
        (b'[1, {"a":2}', "The JSON array breaks off after element 1"),
        (b'[1, "a]', "The JSON array breaks off after element 1"),
        (b"[1,,2]", "The JSON array has a comma without an element after element 1"),
        (b"[1,]", "The JSON array has a comma without an element after element 1"),
        (b"[,]", "The JSON array has a comma without an element after element 0"),
        (b'[{"a":1]}, 2]', "Something stands behind the end of the JSON array"),
        (b"[1] [2]", "Something stands behind the end of the JSON array"),
        (b'{"a":1}', "The file is no JSON array"),
    ],
)
def test_what_is_no_whole_array_is_refused(whole: bytes, told: str) -> None:
    """At once and byte by byte."""
    assert problem(whole) == told
    assert problem(*(whole[at : at + 1] for at in range(len(whole)))) == told


@pytest.mark.parametrize("filling", [b"x", b'\\"', b"\xc3\xa9"])
def test_an_element_that_is_too_large_is_cut_in_flat_memory(filling: bytes) -> None:
    """Just so much is kept that its reader sees that it is too large; the next one is whole."""

    def pieces() -> Iterator[bytes]:
        yield b'[{"text":"'
        for _ in range(100):
            yield filling * (300_000 // len(filling)) + filling[:1]
            yield filling[1:]
        yield b'"}, {"text":"next"}]'

    tracemalloc.start()
    try:
        found = list(elements(pieces()))
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()

    assert [len(element) for element in found] == [MAX_LINE_BYTES + 1, len(b'{"text":"next"}')]
    assert peak < 8 * MAX_LINE_BYTES


def test_much_white_space_between_elements_is_no_element() -> None:
    """Nor does it hide one."""
    assert list(elements([b"[1,", b" " * (2 * MAX_LINE_BYTES), b"2]"])) == [b"1", b"2"]

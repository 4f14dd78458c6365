"""Edits of JSON text: what no edit concerns stays byte for byte, and what is edited is what a parser would find."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic_core import from_json

from megallm.messages.native.splice import find, in_front_of, splice

ODD = ' {"a" :1.0,\n"b":[1e2, {"c":"\\u00e9\\/"} , 123456789012345678901234567890],"n":null , "e":{ }}\n'

KEYS = st.sampled_from(["a", "b", 'c"\\', "é"])
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=3),
    max_leaves=12,
)
TEXTS = st.builds(
    lambda value, indent, ascii_: json.dumps(value, indent=indent, ensure_ascii=ascii_),
    st.dictionaries(KEYS, VALUES, max_size=4),
    st.none() | st.integers(0, 2),
    st.booleans(),
)


def spliced(text: str, edits: dict[str | int, Any]) -> str:
    return splice(text.encode(), edits).decode()


@given(TEXTS)
def test_no_edits_change_no_byte(text: str) -> None:
    """Whatever the spelling."""
    assert spliced(text, {}) == text
    assert spliced(text, {"absent": None, "gone": {"deeper": None}}) == text


@given(TEXTS, KEYS, st.none() | VALUES)
def test_a_member_is_replaced_or_removed_as_it_would_be_in_the_parsed_object(text: str, key: str, value: Any) -> None:
    """None removes; a text replaces, or is added."""
    expected = json.loads(text)
    expected.pop(key, None)
    if value is not None:
        expected[key] = value

    got = spliced(text, {key: None if value is None else json.dumps(value)})

    assert json.loads(got) == expected


@given(TEXTS, KEYS, st.integers(0, 2), KEYS)
def test_edits_go_into_lists_and_objects(text: str, key: str, position: int, inner: str) -> None:
    """What stands there no other edit touches."""
    expected = json.loads(text)
    match expected.get(key):
        case list(elements) if position < len(elements):
            del elements[position]
        case dict(members):
            members.pop(inner, None)
        case _:
            pass

    assert json.loads(spliced(text, {key: {position: None, inner: None}})) == expected


def test_what_stands_beside_an_edit_keeps_its_spelling() -> None:
    """Numbers, escapes and white space."""
    assert spliced(
        ODD, {"b": {1: {"c": '"x"'}}, "n": None}
    ) == ' {"a" :1.0,\n"b":[1e2, {"c":"x"} , 123456789012345678901234567890], "e":{ }}\n'.replace('"n":null , ', "")


def test_members_and_elements_are_added_behind_the_others() -> None:
    """Also to what is empty, null or not there."""
    assert spliced('{"l":[1, 2],"e":{ },"n":null}', {"l": {2: "3", 3: "4"}, "e": {"a": "1"}, "n": {"b": "2"}}) == (
        '{"l":[1, 2,3,4],"e":{"a":1},"n":{"b":2}}'
    )
    assert spliced("{}", {"deep": {"er": {"a": "1", "b": None}}, "none": {"a": None}}) == '{"deep":{"er":{"a":1}}}'


def test_a_scalar_is_not_gone_into() -> None:
    """There is nothing in it to remove."""
    assert spliced('{"a":"text"}', {"a": {"b": None}}) == '{"a":"text"}'


def test_of_repeated_members_that_are_edited_the_last_is_left() -> None:
    """Parsers take it; an upstream that takes the first would see what nobody checked."""
    assert spliced('{"m":"x","a":1,"m":"y", "a":2}', {"m": '"z"'}) == '{"a":1,"m":"z", "a":2}'


def test_a_name_may_be_written_with_escapes() -> None:
    """It is the same name."""
    assert spliced('{"\\u006dodel":"x"}', {"model": '"y"'}) == '{"\\u006dodel":"y"}'


def test_a_number_beyond_all_bounds_passes() -> None:
    """Python itself would not read it."""
    digits = "9" * 5000

    assert spliced(f'{{"a":{digits},"b":1}}', {"b": "2"}) == f'{{"a":{digits},"b":2}}'


@given(TEXTS, KEYS)
def test_a_member_is_found_as_it_is_spelled(text: str, key: str) -> None:
    """None where there is none."""
    found = find(text.encode(), (key,))

    expected = json.loads(text)
    assert (None if found is None else json.loads(found)) == expected.get(key)
    assert (found is None) == (key not in expected)


def test_what_is_found_may_lie_deep() -> None:
    """The last of several with one name; nothing in a scalar."""
    body = b'{"a":[0, {"b": 1e2 }],"c":1,"c": 2.0}'

    assert [find(body, path) for path in (("a", 1, "b"), ("c",), ("c", "d"), ("a", 2))] == ["1e2", "2.0", None, None]


def test_the_odd_text_is_json() -> None:
    """The tests above mean something."""
    assert from_json(ODD)["b"][1] == {"c": "é/"}


@pytest.mark.parametrize(
    ("edits", "expected"),
    [
        ({in_front_of(0): "7,8"}, "[7,8, 1 ,2]"),
        ({in_front_of(1): "7", 1: "9"}, "[ 1 ,7,9]"),
        ({in_front_of(1): "7", 0: None, 1: None}, "[7]"),
        ({in_front_of(2): "7"}, "[ 1 ,2,7]"),
    ],
)
def test_elements_are_put_in_front_of_others(edits: dict[int, str | None], expected: str) -> None:
    """Whatever becomes of those."""
    assert spliced('{"a":[ 1 ,2]}', {"a": edits}) == f'{{"a":{expected}}}'

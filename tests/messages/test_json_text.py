"""JSON for upstreams."""

import pytest
from pydantic_core import to_json

from megallm.errors import InvalidRequest
from megallm.messages.few_values import LARGE_BYTES, MOST_VALUES
from megallm.messages.json_text import json_text


@pytest.mark.parametrize(
    "payload", [{"tools": [{"input_schema": {"maximum": float("inf")}}]}, [("a", float("-inf"))]], ids=["max", "min"]
)
@pytest.mark.parametrize("beside", [[], ["a" * LARGE_BYTES], ["a" * LARGE_BYTES] + [1] * MOST_VALUES])
def test_a_number_that_reads_as_infinity_is_refused(payload: object, beside: list[object]) -> None:
    """1e999 is JSON; Infinity, which it would be written as, is not. However long or manifold what is beside it."""
    with pytest.raises(InvalidRequest, match="too large"):
        json_text([payload, beside])


@pytest.mark.parametrize("beside", [[], [1] * MOST_VALUES])
def test_a_large_payload_may_say_infinity_too(beside: list[object]) -> None:
    """Text of any length is text."""
    payload = ["To Infinity " * 50_000, beside]

    assert json_text(payload) == to_json(payload)


def test_the_word_infinity_is_no_number() -> None:
    """Text may say it."""
    assert json_text({"text": "To Infinity and beyond", "n": [1.5, 10**30, True, None]}) == (
        b'{"text":"To Infinity and beyond","n":[1.5,1000000000000000000000000000000,true,null]}'
    )

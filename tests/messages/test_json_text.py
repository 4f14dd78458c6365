"""JSON for upstreams."""

import pytest

from megallm.errors import InvalidRequest
from megallm.messages.json_text import json_text


@pytest.mark.parametrize(
    "payload", [{"tools": [{"input_schema": {"maximum": float("inf")}}]}, [("a", float("-inf"))]], ids=["max", "min"]
)
def test_a_number_that_reads_as_infinity_is_refused(payload: object) -> None:
    """1e999 is JSON; Infinity, which it would be written as, is not."""
    with pytest.raises(InvalidRequest, match="too large"):
        json_text(payload)


def test_the_word_infinity_is_no_number() -> None:
    """Text may say it."""
    assert json_text({"text": "To Infinity and beyond", "n": [1.5, 10**30, True, None]}) == (
        b'{"text":"To Infinity and beyond","n":[1.5,1000000000000000000000000000000,true,null]}'
    )

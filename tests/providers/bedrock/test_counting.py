"""Counting tokens: the question and the answer."""

from base64 import b64encode

import pytest
from pydantic_core import from_json

from megallm.errors import UpstreamFailed
from megallm.providers.bedrock.counting import answer, converse_question, invoke_question


def test_the_questions_are_those_of_count_tokens() -> None:
    """A body goes in base64, a conversation as it is."""
    assert from_json(invoke_question(b'{"a":1}')) == {
        "input": {"invokeModel": {"body": b64encode(b'{"a":1}').decode()}}
    }
    assert from_json(converse_question({"messages": []})) == {"input": {"converse": {"messages": []}}}


def test_the_answer_is_a_number() -> None:
    """Alone in its object."""
    assert answer(b'{"inputTokens":17}') == 17


@pytest.mark.parametrize("body", [b"", b"[]", b"{}", b'{"inputTokens":"17"}'])
def test_any_other_answer_is_an_error(body: bytes) -> None:
    """And never a zero."""
    with pytest.raises(UpstreamFailed):
        answer(body)

"""Counting tokens: the question, the answer, and the estimate for want of one."""

from base64 import b64encode

import pytest
from pydantic_core import from_json

from megallm.errors import UpstreamFailed
from megallm.providers.bedrock.counting import answer, converse_question, estimate, invoke_question

from .asking import PNG, WEATHER, call_of, words


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


def test_an_estimate_counts_texts_images_files_and_frames() -> None:
    """What the model does not read does not count."""
    pdf = {"type": "base64", "media_type": "application/pdf", "data": "A" * 4000}
    unknown = {"type": "base64", "media_type": "image/png", "data": "AAAA"}
    broken = {"type": "base64", "media_type": "image/png", "data": "A"}
    content = [
        {"type": "text", "text": "one two three", "cache_control": {"type": "ephemeral"}},
        {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": PNG}},
        {"type": "image", "source": unknown},
        {"type": "image", "source": broken},
        {"type": "document", "source": pdf, "title": "four"},
        {"type": "news", "number": 7},
    ]

    tokens = estimate(call_of(content, system="five six").request, words)

    frames = 4 * (1 + 1 + 6)  # the request, its turn, its blocks
    assert tokens == frames + 6 + 0 + 1600 + 1600 + 75


def test_an_estimate_reads_tools_and_calls_as_json() -> None:
    """Names and all."""
    turns = [
        {"role": "user", "content": "one"},
        {"role": "assistant", "content": [{"type": "tool_use", "id": "t1", "name": "f", "input": {"a": 1}}]},
        {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "t1", "content": "two three"}]},
    ]
    seen: list[str] = []

    def remember(text: str) -> int:
        seen.append(text)
        return 0

    estimate(call_of(turns, tools=[WEATHER]).request, remember)

    schema = '{"type":"object","properties":{"city":{"type":"string"}},"required":["city"]}'
    assert seen[0].split("\n") == [
        "one",
        "f",
        '{"a":1}',
        "two three",
        "get_weather",
        str(WEATHER["description"]),
        schema,
    ]

"""The short way of reading a chunk says what the long way says, or nothing."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from megallm.errors import UpstreamFailed
from megallm.providers.openai.chunk_template import ChunkTemplate
from megallm.providers.openai.chunks import parse, plain_text

CHUNK = '{"id": "x", "choices": [{"index": 0, "delta": {"content": %s}, "finish_reason": null}], "created": %d}'


def learned(chunk: str) -> ChunkTemplate:
    template = ChunkTemplate()
    template.learn(chunk, plain_text(parse(chunk)))
    return template


@given(st.text(min_size=1), st.text(min_size=1), st.booleans())
def test_a_chunk_that_differs_in_its_text_alone_is_read(first: str, second: str, ascii_only: bool) -> None:
    """Quotes, escapes, any letters."""
    one, other = (CHUNK % (json.dumps(text, ensure_ascii=ascii_only), 1) for text in (first, second))

    assert learned(one).text_of(other) == second


@pytest.mark.parametrize(
    "other",
    [
        CHUNK % ('"b"', 2),
        CHUNK % ("null", 1),
        CHUNK % ('["b"]', 1),
        CHUNK % ('"b", "role": "assistant"', 1),
        CHUNK % ('"b"}, "finish_reason": "stop", "delta": {"content": "c"', 1),
        CHUNK % ('"\\ud800"', 1),
        CHUNK.partition("%")[0],
        "",
        "[DONE]",
    ],
)
def test_any_other_chunk_is_not(other: str) -> None:
    """It is parsed whole."""
    assert learned(CHUNK % ('"a"', 1)).text_of(other) == ""


@pytest.mark.parametrize(
    "chunk",
    [
        '{"content": "b", "choices": [{"index": 0, "delta": {"content": "b"}}]}',
        '{"x": {"content": "b"}, "choices": [{"index": 0, "delta": {"\\u0063ontent": "a"}}]}',
        '{"choices": [{"index": 0, "delta": {"\\u0063ontent": "a"}}]}',
    ],
)
def test_a_chunk_whose_text_cannot_be_found_is_not_learned(chunk: str) -> None:
    """Its key stands there twice, or otherwise."""
    assert learned(chunk).text_of(chunk) == ""


def test_a_server_whose_chunks_all_differ_is_not_learned_forever() -> None:
    """Until a chunk is like the one before."""
    template = ChunkTemplate()
    chunks = [CHUNK % ('"a"', number) for number in range(20)]

    for chunk in chunks:
        template.learn(chunk, "a")

    assert ([chunk for chunk in chunks if template.text_of(chunk)], len(chunks)) == ([chunks[7]], 20)


ANY_JSON = st.recursive(
    st.none() | st.booleans() | st.integers(0, 2) | st.text(alphabet='a"\\', max_size=3),
    lambda inner: (
        st.lists(inner, max_size=2)
        | st.dictionaries(st.sampled_from(["content", "index", "delta", "choices", "finish_reason"]), inner, max_size=3)
    ),
    max_leaves=8,
)
VALUES = st.sampled_from(['"a"', '"b"', "null", "[]", '"b"}', '"a","index":1', '{"content":"a"}'])


@given(ANY_JSON, VALUES, VALUES)
def test_what_is_read_is_what_parsing_says(beside: object, first: str, second: str) -> None:
    """Whatever stands around the text: the short way never finds a text that is not there."""
    frame = '{"x":%s,"choices":[{"index":0,"delta":{"content":%s}}]}'
    one, other = (frame % (json.dumps(beside), value) for value in (first, second))
    try:
        text = plain_text(parse(one))
    except UpstreamFailed:
        return  # only chunks that can be read are learned
    template = ChunkTemplate()
    if text:
        template.learn(one, text)

    if found := template.text_of(other):
        assert found == plain_text(parse(other))

"""What servers say of tokens, as Anthropic counts them (contract C14)."""

import pytest

from megallm.messages.events import Usage
from megallm.providers.openai.usage import usage_from_wire, usage_of


@pytest.mark.parametrize(
    ("wire", "usage"),
    [
        ({"prompt_tokens": 10, "completion_tokens": 4}, Usage(10, 4)),
        # OpenAI: the prompt holds what the cache gave.
        ({"prompt_tokens": 10, "completion_tokens": 4, "prompt_tokens_details": {"cached_tokens": 6}}, Usage(4, 4, 6)),
        ({"prompt_tokens": 10, "completion_tokens": 4, "prompt_tokens_details": None}, Usage(10, 4)),
        (
            {
                "prompt_tokens": 10,
                "completion_tokens": 4,
                "prompt_tokens_details": {"cached_tokens": 3, "cache_write_tokens": 2},
            },
            Usage(5, 4, 3, 2),
        ),
        # DeepSeek.
        ({"prompt_tokens": 10, "completion_tokens": 4, "prompt_cache_hit_tokens": 6}, Usage(4, 4, 6)),
        # Moonshot, which says it twice, or used to say it only so.
        ({"prompt_tokens": 10, "completion_tokens": 4, "cached_tokens": 6}, Usage(4, 4, 6)),
        (
            {
                "prompt_tokens": 10,
                "completion_tokens": 4,
                "cached_tokens": 6,
                "prompt_tokens_details": {"cached_tokens": 6},
            },
            Usage(4, 4, 6),
        ),
        # LiteLLM before Anthropic.
        ({"prompt_tokens": 10, "completion_tokens": 4, "cache_creation_input_tokens": 6}, Usage(4, 4, 0, 6)),
        # Thinking is a part of the output, but beside it at xAI.
        (
            {
                "prompt_tokens": 10,
                "completion_tokens": 9,
                "total_tokens": 19,
                "completion_tokens_details": {"reasoning_tokens": 5},
            },
            Usage(10, 9, thinking_tokens=5),
        ),
        (
            {
                "prompt_tokens": 10,
                "completion_tokens": 4,
                "total_tokens": 19,
                "completion_tokens_details": {"reasoning_tokens": 5},
            },
            Usage(10, 9, thinking_tokens=5),
        ),
        # Nothing known, or nothing that can be: the estimates.
        ({}, Usage(7, 2)),
        ({"prompt_tokens": 0, "completion_tokens": 0}, Usage(7, 2)),
        ({"prompt_tokens": "10", "completion_tokens": None}, Usage(7, 2)),
        ({"prompt_tokens": -10, "completion_tokens": -4}, Usage(7, 2)),
        ({"prompt_tokens": float("nan"), "completion_tokens": float("inf")}, Usage(7, 2)),
        ({"prompt_tokens": 10.0, "completion_tokens": 4.5}, Usage(10, 2)),
        # What does not add up is made to.
        ({"prompt_tokens": 10, "completion_tokens": 4, "prompt_cache_hit_tokens": 60}, Usage(0, 4, 10)),
        (
            {
                "prompt_tokens": 10,
                "completion_tokens": 4,
                "prompt_cache_hit_tokens": 6,
                "cache_creation_input_tokens": 6,
            },
            Usage(0, 4, 6, 4),
        ),
        (
            {"prompt_tokens": 10, "completion_tokens": 4, "completion_tokens_details": {"reasoning_tokens": 9}},
            Usage(10, 4, thinking_tokens=4),
        ),
    ],
)
def test_tokens_are_counted_as_anthropic_does(wire: dict[str, object], usage: Usage) -> None:
    """Each server's way of saying it."""
    assert usage_of(wire, input_estimate=7, output_bytes=5) == usage


@pytest.mark.parametrize(
    ("chunk", "usage"),
    [
        ({}, None),
        ({"usage": None}, None),
        ({"usage": None, "timings": None}, None),
        ({"usage": {"prompt_tokens": 1}, "timings": {"prompt_n": 5}}, {"prompt_tokens": 1}),
        (
            {"timings": {"prompt_n": 5, "cache_n": 2, "predicted_n": 3}},
            {"prompt_tokens": 7, "completion_tokens": 3, "prompt_tokens_details": {"cached_tokens": 2}},
        ),
    ],
)
def test_llama_cpps_timings_are_a_usage_where_there_is_none(chunk: dict[str, object], usage: object) -> None:
    """It sends them whether they are asked for or not."""
    assert usage_from_wire(chunk, None) == usage


ONE, TWO, THREE = {"prompt_tokens": 1}, {"prompt_tokens": 2}, {"prompt_tokens": 3}


@pytest.mark.parametrize(
    ("chunk", "choice", "usage"),
    [
        ({"usage": ONE, "x_groq": {"usage": TWO}}, {"usage": THREE}, ONE),
        ({"usage": None, "x_groq": {"usage": TWO}}, {"usage": THREE}, THREE),
        ({"usage": {}}, {"usage": THREE}, THREE),
        ({"x_groq": {"id": "req_1", "usage": TWO}}, {}, TWO),
        ({"x_groq": {"usage": TWO}, "timings": {"prompt_n": 5}}, None, TWO),
        ({"x_groq": {"id": "req_1"}}, {"usage": None}, None),
        ({"x_groq": None}, {"usage": "2"}, None),
    ],
)
def test_a_usage_in_an_odd_place_counts_where_the_usual_one_has_none(
    chunk: dict[str, object], choice: dict[str, object] | None, usage: object
) -> None:
    """Moonshot's streams have it in the choice, Groq's in a member of their own."""
    assert usage_from_wire(chunk, choice) == usage

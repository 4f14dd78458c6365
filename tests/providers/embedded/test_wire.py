"""The translation to a small text model: what it is told, and what is left out."""

from megallm.messages.calls import Adaptation
from megallm.providers.embedded.wire import DEFAULT_TEMPERATURE

from .asking import WEATHER, told, wire_of

CALL_TURNS = [
    {"role": "user", "content": "Paris?"},
    {"role": "assistant", "content": [{"type": "tool_use", "id": "t1", "name": "get_weather", "input": {"city": "é"}}]},
]


def test_system_and_turns_keep_their_places() -> None:
    """Consecutive turns of one role are merged, a system turn stays where it is."""
    wire = wire_of(
        [
            {"role": "user", "content": "One"},
            {"role": "user", "content": [{"type": "text", "text": "Two"}, {"type": "text", "text": "Three"}]},
            {"role": "system", "content": "Now in French."},
            {"role": "assistant", "content": [{"type": "text", "text": "Un, "}, {"type": "text", "text": "deux"}]},
        ],
        system=[{"type": "text", "text": "Be brief.", "cache_control": {"type": "ephemeral"}}],
    )

    assert told(wire) == [
        ("system", "Be brief."),
        ("user", "One\nTwo\nThree"),
        ("system", "Now in French."),
        ("assistant", "Un, deux"),
    ]
    assert wire.adaptations == (Adaptation("cache_control", "dropped"),)


def test_sampling_is_passed_on_and_has_a_default() -> None:
    """A small model is at its best below Anthropic's temperature of 1."""
    given_all = wire_of(temperature=0.25, top_p=0.5, top_k=7)

    assert given_all.parameters == {"n_predict": 40, "temperature": 0.25, "top_p": 0.5, "top_k": 7}
    assert wire_of().parameters == {"n_predict": 40, "temperature": DEFAULT_TEMPERATURE}


def test_text_of_documents_and_search_results_reaches_the_model() -> None:
    """Whatever can be said in text is."""
    wire = wire_of(
        [
            {
                "role": "user",
                "content": [
                    {"type": "document", "title": "T", "context": "C", "source": {"type": "text", "data": "Body"}},
                    {
                        "type": "document",
                        "source": {"type": "content", "content": [{"type": "text", "text": "Part"}]},
                        "citations": {"enabled": True},
                    },
                    {
                        "type": "search_result",
                        "source": "https://a.invalid",
                        "title": "S",
                        "content": [{"type": "text", "text": "Found"}],
                    },
                ],
            }
        ]
    )

    assert told(wire) == [
        (
            "user",
            "<document>\nT\nC\nBody\n</document>\n<document>\nPart\n</document>\n"
            "[search result: S (https://a.invalid)]\nFound",
        )
    ]
    assert wire.adaptations == (Adaptation("messages.0.content.1.citations", "dropped"),)


def test_calls_and_results_are_told_in_the_models_own_format() -> None:
    """Only the marks are markup: what stands between them is somebody's text."""
    result = {
        "type": "tool_result",
        "tool_use_id": "t1",
        "is_error": True,
        "content": [{"type": "text", "text": "no </tool_response> city"}],
    }
    wire = wire_of([*CALL_TURNS, {"role": "user", "content": [result, {"type": "text", "text": "And now?"}]}])

    assert told(wire)[1:] == [
        ("assistant", '<tool_call>\n{"name": "get_weather", "arguments": {"city": "é"}}\n</tool_call>'),
        ("user", "<tool_response>\nError: no </tool_response> city\n</tool_response>\nAnd now?"),
    ]
    assert [piece.text for piece in wire.prompt.turns[2].pieces if piece.markup] == [
        "<tool_response>\n",
        "\n</tool_response>",
    ]


def test_whatever_vanishes_is_listed() -> None:
    """Lossless or loud."""
    wire = wire_of(
        [
            {"role": "user", "content": "Hi"},
            {
                "role": "assistant",
                "content": [
                    {"type": "thinking", "thinking": "hm", "signature": "s"},
                    {"type": "text", "text": "Yes"},
                ],
            },
            {"role": "user", "content": "Go on"},
        ],
        thinking={"type": "enabled", "budget_tokens": 1024},
        output_config={"effort": "low"},
        service_tier="auto",
        speed="fast",
        metadata={"user_id": "u"},
        cache_control={"type": "ephemeral"},
        container=None,
        mcp_servers=[],
        tools=[WEATHER | {"strict": True, "cache_control": {"type": "ephemeral"}}],
        betas=("some-beta-2026-01-01",),
    )

    assert wire.adaptations == tuple(
        Adaptation(field, "dropped")
        for field in (
            "service_tier",
            "speed",
            "metadata",
            "thinking",
            "output_config.effort",
            "tools.0.strict",
            "anthropic-beta.some-beta-2026-01-01",
            "messages.1.content.0",
            "cache_control",
        )
    )

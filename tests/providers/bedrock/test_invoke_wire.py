"""The body of InvokeModel: fields, tools and betas that Bedrock takes, and others."""

import pytest

from megallm.errors import InvalidRequest
from megallm.messages.calls import Adaptation, Call
from megallm.providers.bedrock.invoke.wire import invoke_body

from .asking import WEATHER
from .invoke_asking import claude, sent


def test_the_model_stands_in_the_url_and_the_version_in_the_body() -> None:
    """All else is the caller's own."""
    body, adaptations = sent(stream=True, system="Be brief.", metadata={"user_id": "u"}, stop_sequences=["A"])

    assert body == {
        "max_tokens": 40,
        "messages": [{"role": "user", "content": "Hello"}],
        "system": "Be brief.",
        "metadata": {"user_id": "u"},
        "stop_sequences": ["A"],
        "anthropic_version": "bedrock-2023-05-31",
    }
    assert adaptations == ()


def test_a_body_that_needs_no_change_keeps_its_bytes() -> None:
    """Numbers and escapes as they were spelled."""
    call = claude()
    text = b'{"max_tokens": 40, "messages": [{"role": "user", "content": "\\u0048i"}], "model": "x"}'

    wire = invoke_body(Call(call.request, call.upstream_model, body=text, takes=call.takes))

    assert b'"\\u0048i"' in wire.body


def test_betas_that_bedrock_knows_stand_in_the_body() -> None:
    """Some by another name; the others are told of."""
    body, adaptations = sent(
        betas=("context-management-2025-06-27", "advanced-tool-use-2025-11-20", "files-api-2025-04-14")
    )

    assert body["anthropic_beta"] == ["context-management-2025-06-27", "tool-search-tool-2025-10-19"]
    assert adaptations == (Adaptation("anthropic-beta.files-api-2025-04-14", "dropped"),)


def test_fields_that_bedrock_refuses_are_dropped_aloud() -> None:
    """So are the samplers that newer models refuse."""
    body, adaptations = sent(service_tier="auto", cache_control={"type": "ephemeral"}, temperature=0.5, top_k=3)

    assert set(body) == {"max_tokens", "messages", "anthropic_version"}
    assert sorted(adaptation.field for adaptation in adaptations) == [
        "cache_control",
        "service_tier",
        "temperature",
        "top_k",
    ]


@pytest.mark.parametrize(
    ("content", "fields", "param"),
    [
        ("Hi", {"mcp_servers": [{"type": "url", "url": "https://a.invalid"}]}, "mcp_servers"),
        ("Hi", {"tools": [{"type": "web_search_20260318", "name": "web_search"}]}, "tools.0"),
        ([{"type": "image", "source": {"type": "file", "file_id": "f"}}], {}, "messages.0.content.0"),
        (
            [{"type": "document", "source": {"type": "url", "url": "https://a.invalid"}}],
            {},
            "messages.0.content.0",
        ),
    ],
)
def test_what_bedrock_has_not_is_refused_by_name(content: object, fields: dict[str, object], param: str) -> None:
    """Before anything is sent."""
    with pytest.raises(InvalidRequest) as caught:
        sent(content, **fields)

    assert caught.value.param == param


def test_what_belongs_to_a_beta_goes_where_the_beta_goes() -> None:
    """Bedrock takes neither; Claude Code sets the effort of single turns, and shall be answered."""
    turns = [
        {"role": "user", "content": "Hi"},
        {"role": "system", "content": [], "output_config": {"effort": "low"}},
    ]
    thinking = {"type": "adaptive", "block_binding": {"prefix_mismatch_behavior": "drop_block"}}
    betas = ("mid-conversation-output-config-2026-07-01", "thinking-binding-controls-2026-08-01")

    body, adaptations = sent(turns, thinking=thinking, betas=betas)

    assert (body["messages"], body["thinking"]) == (turns[:1], {"type": "adaptive"})
    assert [adaptation.field for adaptation in adaptations] == [
        *(f"anthropic-beta.{flag}" for flag in betas),
        "thinking.block_binding",
        "messages.1.output_config",
    ]


def test_tools_that_the_caller_runs_pass_and_their_unknown_fields_do_not() -> None:
    """Bedrock looks into them."""
    tools = [
        {"type": "bash_20250124", "name": "bash"},
        {"type": "memory_20250818", "name": "memory"},
        {**WEATHER, "eager_input_streaming": True, "defer_loading": True, "strict": None},
        {**WEATHER, "name": "other", "eager_input_streaming": None},
    ]

    body, adaptations = sent(tools=tools)

    assert body["tools"] == [
        tools[0],
        tools[1],
        {**WEATHER, "defer_loading": True, "strict": None},
        {**WEATHER, "name": "other"},
    ]
    assert adaptations == (Adaptation("tools.2.eager_input_streaming", "dropped"),)


def test_a_table_may_refuse_a_field_of_a_tool() -> None:
    """By its path."""
    with pytest.raises(InvalidRequest) as caught:
        sent(tools=[{**WEATHER, "defer_loading": True}], takes={"fields": {"tools.defer_loading": "refuse"}})

    assert caught.value.param == "tools.0.defer_loading"


@pytest.mark.parametrize("choice", [{"type": "any"}, {"type": "tool", "name": "get_weather"}])
def test_a_model_that_cannot_be_forced_may_choose(choice: dict[str, object]) -> None:
    """It would answer with a 400; where it can be, nothing changes."""
    takes = {"features": {"forced_tools": False}}
    parallel = {"disable_parallel_tool_use": True}

    freed, adaptations = sent(tools=[WEATHER], tool_choice={**choice, **parallel}, takes=takes)
    plain, _ = sent(tools=[WEATHER], tool_choice=choice, takes=takes)
    forced, none = sent(tools=[WEATHER], tool_choice=choice)

    assert (freed["tool_choice"], plain["tool_choice"]) == ({"type": "auto", **parallel}, {"type": "auto"})
    assert (forced["tool_choice"], adaptations, none) == (choice, (Adaptation("tool_choice", "auto"),), ())


def test_a_model_that_takes_one_sampler_gets_the_temperature() -> None:
    """Where both were sent."""
    takes = {
        "features": {"temperature_or_top_p": True},
        "fields": {"temperature": "pass", "top_p": "pass"},
    }

    both, adaptations = sent(temperature=0.5, top_p=0.9, takes=takes)
    one, none = sent(top_p=0.9, takes=takes)

    assert ("top_p" in both, both["temperature"], adaptations) == (False, 0.5, (Adaptation("top_p", "dropped"),))
    assert (one["top_p"], none) == (0.9, ())

"""The body of InvokeModel: our own format, without what Bedrock or the model refuses."""

import pytest
from pydantic_core import from_json

from megallm.catalog.compatibility import shipped
from megallm.errors import InvalidRequest
from megallm.messages.calls import Adaptation, Call
from megallm.messages.native.capabilities import GO_ON
from megallm.messages.requests import MessagesRequest
from megallm.providers.bedrock.invoke.wire import InvokeWire, count_body, invoke_body, repair_body
from megallm.providers.judging import Fault

from .asking import CALL_TURNS, SIGNER, WEATHER, call_of, counted

SCHEMA = {"type": "object"}
FORMAT = {"type": "json_schema", "schema": SCHEMA}


def claude(content: object = "Hello", **more: object) -> Call[MessagesRequest]:
    """A call by the table for Claude."""
    return call_of(content, table="bedrock", **more)  # type: ignore[arg-type]  # fields of any type


def body_of(wire: InvokeWire) -> dict[str, object]:
    """What goes over the wire."""
    body: dict[str, object] = from_json(wire.body)
    return body


def sent(content: object = "Hello", **more: object) -> tuple[dict[str, object], tuple[Adaptation, ...]]:
    """The body, and what was adapted."""
    wire = invoke_body(claude(content, **more))
    return body_of(wire), wire.adaptations


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


@pytest.mark.parametrize(
    "fields",
    [
        {"output_config": {"format": FORMAT, "effort": "low"}},
        {"output_config": {"effort": "low"}, "output_format": FORMAT},
    ],
)
def test_a_schema_is_told_in_words_to_a_model_that_is_not_held_to_it(fields: dict[str, object]) -> None:
    """In either spelling of the field (C45)."""
    body, adaptations = sent(system="Be brief.", **fields)

    assert body["output_config"] == {"effort": "low"}
    assert body["system"][0] == {"type": "text", "text": "Be brief."}  # type: ignore[index]  # a list
    assert body["system"][1]["text"].endswith('this JSON Schema:\n{"type":"object"}')  # type: ignore[index]  # a list
    assert adaptations == (Adaptation("output_config.format", "by instruction"),)


def test_a_schema_that_is_only_told_has_to_be_one() -> None:
    """Since the reply is judged by it; and no reply that goes on from words of the caller's could follow it."""
    told = {"output_config": {"format": FORMAT}}

    assert invoke_body(claude(**told)).format is not None
    assert [
        invoke_body(claude(**told, takes={"fields": {"output_config.format": rule}})).format
        for rule in ("pass", "drop")
    ] == [None, None]
    with pytest.raises(InvalidRequest) as none:
        sent(output_format={"type": "json_schema", "schema": {"type": "text"}})
    with pytest.raises(InvalidRequest) as prefilled:
        sent(PREFILL, **told)
    assert (none.value.param, prefilled.value.param) == ("output_config.format.schema", "output_config.format")


def test_the_body_that_asks_again_has_the_reply_and_its_fault() -> None:
    """Behind what was asked, byte for byte; a reply without words is not shown."""
    body = b'{"top_p": 1.0, "messages": [{"role":"user","content":"\\u0048i"}],"anthropic_version":"v"}'
    shown, not_shown = (
        b'{"role":"assistant","content":"{"},',
        b"",
    )

    for text, reply in (("{", shown), (" \n", not_shown)):
        assert repair_body(body, Fault(text, "No.")) == (
            b'{"top_p": 1.0, "messages": [{"role":"user","content":"\\u0048i"},'
            + reply
            + b'{"role":"user","content":"No."}],"anthropic_version":"v"}'
        )


def test_a_model_that_is_held_to_a_schema_gets_it_in_its_newer_spelling() -> None:
    """Two schemas are one too many."""
    takes = {"fields": {"output_config.format": "pass"}}

    newer, none = sent(output_format=FORMAT, takes=takes)
    both, adaptations = sent(output_format=SCHEMA, output_config={"format": FORMAT}, takes=takes)

    assert (newer["output_config"], both["output_config"]) == ({"format": FORMAT}, {"format": FORMAT})
    assert ("output_format" in newer, "output_format" in both) == (False, False)
    assert (none, adaptations) == ((), (Adaptation("output_format", "dropped"),))


def test_system_turns_become_users_words_where_the_model_has_no_such_role() -> None:
    """In front they are the system prompt; tool results stay in front of their turn (C06)."""
    result = {"type": "tool_result", "tool_use_id": "t1", "content": "cold"}
    turns = [
        {"role": "system", "content": "In French."},
        *CALL_TURNS,
        {"role": "system", "content": [{"type": "text", "text": "Now in Greek."}]},
        {"role": "user", "content": [result, {"type": "text", "text": "So?"}]},
        {"role": "system", "content": "Again."},
        {"role": "system", "content": "And again."},
    ]
    takes = {"features": {"system_turns": False}}

    body, adaptations = sent(turns, tools=[WEATHER], takes=takes)
    kept, none = sent(turns, tools=[WEATHER])

    assert body["system"] == [{"type": "text", "text": "In French."}]
    assert body["messages"] == [
        *CALL_TURNS,
        {
            "role": "user",
            "content": [
                result,
                {"type": "text", "text": "<system>\nNow in Greek.\n</system>"},
                {"type": "text", "text": "So?"},
            ],
        },
        {
            "role": "user",
            "content": [
                {"type": "text", "text": "<system>\nAgain.\n</system>"},
                {"type": "text", "text": "<system>\nAnd again.\n</system>"},
            ],
        },
    ]
    assert adaptations == tuple(Adaptation(f"messages.{at}", "user turn") for at in (3, 5, 6))
    assert (kept["messages"], none) == (turns, ())


def test_a_system_turn_that_shows_something_is_the_users_even_in_front() -> None:
    """A system prompt is words alone."""
    image = {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "AA=="}}
    turns = [
        {"role": "system", "content": [{"type": "text", "text": "See:"}, image]},
        {"role": "user", "content": "Hi"},
    ]

    body, adaptations = sent(turns, takes={"features": {"system_turns": False}})

    said = {"type": "text", "text": "<system>\nSee:\n</system>"}
    assert body["messages"] == [{"role": "user", "content": [said, image, {"type": "text", "text": "Hi"}]}]
    assert adaptations == (Adaptation("messages.0", "user turn"),)


def test_a_system_turn_before_the_assistants_is_a_turn_of_its_own() -> None:
    """The user's words are in front of it."""
    turns = [
        {"role": "user", "content": "Hi"},
        {"role": "assistant", "content": "Yes?"},
        {"role": "system", "content": "Greek."},
        {"role": "assistant", "content": "Nai"},
        {"role": "user", "content": "Bye"},
    ]

    body, _ = sent(turns, takes={"features": {"system_turns": False}})

    assert body["messages"][2] == {  # type: ignore[index]  # a list
        "role": "user",
        "content": [{"type": "text", "text": "<system>\nGreek.\n</system>"}],
    }


PREFILL = [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "The answer is "}]


def test_a_prefill_is_asked_for_in_words_where_the_model_takes_none() -> None:
    """It would answer with a 400 (C05)."""
    body, adaptations = sent(PREFILL)

    assert body["messages"] == [*PREFILL, {"role": "user", "content": GO_ON}]
    assert adaptations == (Adaptation("messages.1", "continued by instruction"),)


@pytest.mark.parametrize(
    ("content", "trimmed"),
    [
        ("The answer is ", "The answer is"),
        ([{"type": "text", "text": "A"}, {"type": "text", "text": " \n"}], [{"type": "text", "text": "A"}]),
    ],
)
def test_a_prefill_loses_the_space_at_its_end(content: object, trimmed: object) -> None:
    """Anthropic's own API refuses it (C46)."""
    turns = [PREFILL[0], {"role": "assistant", "content": content}]

    body, adaptations = sent(turns, takes={"features": {"prefill": True}})

    assert body["messages"] == [PREFILL[0], {"role": "assistant", "content": trimmed}]
    assert adaptations == (Adaptation("messages.1.content", "trimmed"),)


@pytest.mark.parametrize("last", ["No space", [{"type": "tool_use", "id": "t9", "name": "f", "input": {}}], []])
def test_a_prefill_without_space_stays_as_it_is(last: object) -> None:
    """Byte for byte."""
    turns = [PREFILL[0], {"role": "assistant", "content": last}]

    assert sent(turns, takes={"features": {"prefill": True}}) == (
        {"max_tokens": 40, "messages": turns, "anthropic_version": "bedrock-2023-05-31"},
        (),
    )


def test_caches_lose_their_scope_and_nothing_else() -> None:
    """Wherever they stand, but in no tool's schema or input (C21)."""
    scoped, plain = {"type": "ephemeral", "ttl": "1h", "scope": "global"}, {"type": "ephemeral", "ttl": "1h"}
    schema = {"type": "object", "properties": {"cache_control": {"scope": "mine"}}}

    def turns(control: object) -> list[object]:
        block = {"type": "text", "text": "a", "cache_control": control}
        result = {"type": "tool_result", "tool_use_id": "t1", "content": [block]}
        return [*CALL_TURNS, {"role": "user", "content": [result, block, {"type": "news", "content": [1]}]}]

    def fields(control: object) -> dict[str, object]:
        system = [{"type": "text", "text": "s", "cache_control": control}]
        return {"system": system, "tools": [{"name": "get_weather", "input_schema": schema, "cache_control": control}]}

    body, adaptations = sent(turns(scoped), **fields(scoped))

    assert sent(turns(plain), **fields(plain)) == (body, ())
    assert body == {
        "max_tokens": 40,
        "messages": turns(plain),
        **fields(plain),
        "anthropic_version": "bedrock-2023-05-31",
    }
    assert adaptations == ()


def test_thinking_of_a_translated_route_is_left_out() -> None:
    """Bedrock would refuse the signature (C15)."""
    ours = {"type": "thinking", "thinking": "Hm.", "signature": SIGNER.sign("other/model", "Hm.")}
    theirs = {"type": "thinking", "thinking": "Hm.", "signature": "EqQB"}
    turns = [
        {"role": "user", "content": "Hi"},
        {"role": "assistant", "content": [ours, theirs, {"type": "text", "text": "Yes"}]},
        {"role": "user", "content": "Bye"},
    ]

    body, adaptations = sent(turns)

    assert body["messages"][1]["content"] == [theirs, {"type": "text", "text": "Yes"}]  # type: ignore[index]  # a list
    assert adaptations == (Adaptation("messages.1.content.0", "dropped"),)


def test_a_body_to_be_counted_is_one_that_could_be_sent() -> None:
    """InvokeModel wants a number of tokens, whoever counts."""
    call = counted(claude(system="s", betas=("context-management-2025-06-27",)))

    assert from_json(count_body(call)) == {
        "messages": [{"role": "user", "content": "Hello"}],
        "system": "s",
        "max_tokens": 1,
        "anthropic_version": "bedrock-2023-05-31",
        "anthropic_beta": ["context-management-2025-06-27"],
    }


def test_the_tables_name_their_path() -> None:
    """By which the provider goes."""
    assert [shipped(name).features["api"] for name in ("bedrock", "converse")] == ["invoke", "converse"]

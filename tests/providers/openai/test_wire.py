"""The whole request: parameters, extra fields, betas, and where the parts stand."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError
from pydantic_core import to_json

from megallm.catalog.compatibility import shipped
from megallm.errors import InvalidRequest
from megallm.messages.calls import Call
from megallm.messages.requests import MessagesRequest
from megallm.providers.openai.dialect import Dialect, dialect_of
from megallm.providers.openai.wire import Wire, input_to_wire
from tests.requests_strategy import REQUESTS

from .asking import WEATHER, WEATHER_FUNCTION, adapted, call_of, counted, dropped, translated, wire_of

TABLES = ["openai", "azure", "vllm", "llama.cpp", "ollama", "deepseek", "litellm"]


def test_a_plain_request_is_little_more_than_its_messages() -> None:
    """Nothing is set that the caller did not set."""
    wire = wire_of("Hello", system="Be brief.")

    assert wire.body == {
        "model": "m-1",
        "messages": [{"role": "developer", "content": "Be brief."}, {"role": "user", "content": "Hello"}],
        "max_completion_tokens": 40,
    }
    assert wire.stream_body == {"stream": True, "stream_options": {"include_usage": True}}
    assert (wire.adaptations, wire.betas, wire.prefill) == ((), (), "")


def test_parameters_go_under_the_names_of_the_table() -> None:
    """C23: which spelling a server knows is data."""
    fields: dict[str, Any] = {"temperature": 0.5, "top_p": 0.25, "top_k": 10**30, "metadata": {"user_id": "u"}}

    there = {"model": "m-1", "messages": [{"role": "user", "content": "Hello"}], "temperature": 0.5, "top_p": 0.25}
    assert wire_of(**fields).body == there | {"max_completion_tokens": 40, "safety_identifier": "u"}
    assert wire_of(table="vllm", **fields).body == there | {"max_tokens": 40, "top_k": 1_000_000, "user": "u"}
    assert wire_of(table="deepseek", **fields).body == there | {"max_tokens": 40, "user_id": "u"}
    assert wire_of(**fields).adaptations == dropped("top_k")


def test_without_a_table_everything_goes_under_the_usual_names() -> None:
    """An operator's server of which nothing is known."""
    wire = wire_of(table=None, top_k=5, stop_sequences=["x"], surprise={"a": 1}, betas=("some-beta",))

    assert wire.body == {
        "surprise": {"a": 1},
        "model": "m-1",
        "messages": [{"role": "user", "content": "Hello"}],
        "max_tokens": 40,
        "top_k": 5,
    }
    assert wire.stop_sequences == ("x",)
    assert (wire.betas, wire.adaptations) == (("some-beta",), ())


def test_unknown_fields_never_stand_over_ours() -> None:
    """Whatever they are called."""
    wire = wire_of(table=None, takes={"fields": {"surprise": "-> model"}}, surprise="theirs")

    assert wire.body["model"] == "m-1"


def test_more_tokens_than_the_model_writes_are_cut_to_its_most() -> None:
    """Clients written for Claude ask for 64,000."""
    wire = wire_of(max_tokens=64_000, max_output_tokens=8192)

    assert wire.body["max_completion_tokens"] == 8192
    assert adapted(wire) == [("max_tokens", "8192")]
    assert adapted(wire_of(max_tokens=8192, max_output_tokens=8192)) == []


@pytest.mark.parametrize(
    ("takes", "sent", "ends_early"),
    [
        ({}, None, True),
        ({"features": {"max_stop_sequences": 256}}, ["a", "b", "c"], False),
        ({"features": {"max_stop_sequences": 2}}, ["a", "b"], True),
        ({"features": {"max_stop_sequences": 256}, "fields": {"stop_sequences": "drop"}}, None, True),
    ],
)
def test_stop_sequences_go_to_servers_that_tell_which_one_hit(
    takes: dict[str, Any], sent: list[str] | None, ends_early: bool
) -> None:
    """C12: all are matched by us, so that nothing changes with those that are not sent."""
    wire = wire_of(stop_sequences=["a", "b", "c"], takes=takes)

    assert (wire.body.get("stop"), wire.ends_early) == (sent, ends_early)
    assert (wire.stop_sequences, wire.adaptations) == (("a", "b", "c"), ())


def test_a_long_user_id_is_sent_as_its_hash() -> None:
    """It tells users apart as well, and fits; other metadata has no place."""
    wire = wire_of(metadata={"user_id": "u" * 65, "plan": "pro", "note": None})

    identifier = wire.body["safety_identifier"]
    assert isinstance(identifier, str)
    assert len(identifier) == 64
    assert adapted(wire) == [("metadata.plan", "dropped")]
    assert "user" not in wire_of(metadata={"user_id": None}, table="vllm").body


def test_the_service_tier_goes_under_openais_name() -> None:
    """Where the table passes it."""
    assert wire_of(service_tier="auto").body["service_tier"] == "auto"
    assert wire_of(service_tier="standard_only").body["service_tier"] == "default"
    assert wire_of(service_tier="auto", table="vllm").adaptations == dropped("service_tier")


def test_what_vanishes_is_listed() -> None:
    """C04: lossless or loud; what asks for nothing is neither."""
    wire = wire_of(
        speed="fast",
        inference_geo=None,
        mcp_servers=[],
        context_management={},
        cache_control={"type": "ephemeral"},
        system=[{"type": "text", "text": "Be", "cache_control": {"type": "ephemeral"}}, {"type": "text", "text": "b"}],
        output_config={"task_budget": {"type": "tokens", "total": 1}},
        betas=("beta-a", "beta-b"),
    )

    assert wire.adaptations == dropped(
        "speed", "cache_control", "output_config.task_budget", "anthropic-beta.beta-a", "anthropic-beta.beta-b"
    )
    assert wire.messages[0] == {"role": "developer", "content": "Be\nb"}


def test_extra_fields_go_where_the_table_says() -> None:
    """Also those of output_config and of system blocks."""
    takes = {
        "fields": {"speed": "-> velocity", "output_config.verbosity": "-> verbosity"},
        "betas": {"old-*": "-> new", "kept": "pass"},
    }
    wire = wire_of(
        speed="fast",
        output_config={"verbosity": "low"},
        system=[{"type": "text", "text": "s", "citations": {"enabled": True}}],
        takes=takes,
        betas=("old-1", "kept"),
    )

    assert (wire.body["velocity"], wire.body["verbosity"], wire.betas) == ("fast", "low", ("new", "kept"))
    assert wire.adaptations == dropped("system.0.citations")


def test_a_dropped_max_tokens_is_told() -> None:
    """And the other parameters alike."""
    takes = {"fields": {"max_tokens": "drop", "temperature": "drop", "top_p": "drop", "metadata.user_id": "drop"}}

    wire = wire_of(temperature=0.1, top_p=0.1, metadata={"user_id": "u"}, takes=takes)

    assert wire.body == {"model": "m-1", "messages": [{"role": "user", "content": "Hello"}]}
    assert wire.adaptations == dropped("max_tokens", "temperature", "top_p", "metadata.user_id")


@pytest.mark.parametrize(
    ("fields", "param", "message"),
    [
        ({"max_tokens": 0}, "max_tokens", "m-1 has no cache to warm"),
        ({"mcp_servers": [{"url": "https://a.invalid"}]}, "mcp_servers", "m-1 does not take this field"),
        ({"container": "c"}, "container", "m-1 does not take this field"),
        (
            {"betas": ("b",), "takes": {"betas": {"b": "refuse"}}},
            "anthropic-beta.b",
            "m-1 does not take this beta",
        ),
        (
            {"stop_sequences": ["x"], "table": "vllm", "takes": {"fields": {"stop_sequences": "refuse"}}},
            "stop_sequences",
            "m-1 does not take this field",
        ),
        ({"content": [{"role": "assistant", "content": ""}]}, "messages", "nothing to answer"),
    ],
)
def test_what_cannot_be_honoured_is_refused_by_name(fields: dict[str, Any], param: str, message: str) -> None:
    """The path of the field, and why (C04)."""
    with pytest.raises(InvalidRequest, match=message) as caught:
        wire_of(**fields)

    assert caught.value.param == param


def test_a_server_that_tells_no_usage_in_streams_is_not_asked_for_it() -> None:
    """A feature of its table."""
    assert wire_of(takes={"features": {"stream_usage": False}}).stream_body == {"stream": True}


def test_the_input_alone_is_what_counting_needs() -> None:
    """C40: system, tools and format included; nothing of the reply."""
    call = call_of("Hello", system="Be brief.", tools=[WEATHER], temperature=0.5, table="vllm")

    made, media = input_to_wire(counted(call), _dialect(call))

    assert made.body == {
        "messages": [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Hello"}],
        "tools": [WEATHER_FUNCTION],
    }
    assert media.count == 0


def _dialect(call: Call[MessagesRequest]) -> Dialect:
    return dialect_of(call.takes.features)


@settings(deadline=None)
@given(body=REQUESTS, table=st.sampled_from(TABLES))
def test_whatever_the_schema_accepts_is_translated_or_refused_by_name(body: dict[str, object], table: str) -> None:
    """C04, C08: a body that can be sent, or InvalidRequest with the field; never another exception."""
    try:
        request = MessagesRequest.model_validate(body)
    except ValidationError:
        return

    outcome: Wire | InvalidRequest
    try:
        outcome = translated(Call(request, "m-1", takes=shipped(table)))
    except InvalidRequest as refusal:
        outcome = refusal

    assert outcome.param if isinstance(outcome, InvalidRequest) else to_json(outcome.body)

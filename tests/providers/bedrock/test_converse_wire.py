"""The translation to Converse, field by field: what the model is told, what is left out, what is refused."""

import pytest

from megallm.errors import InvalidRequest
from megallm.messages.calls import Adaptation

from .asking import WEATHER, call_of
from .converse_asking import FORMAT, SOURCE, body_of, told, user, wire_of


def test_a_request_in_all_its_plain_parts() -> None:
    """Turns of one role are merged, a first system turn joins the system prompt, blank text is left out."""
    wire = wire_of(
        call_of(
            [
                {"role": "system", "content": "In French."},
                {"role": "user", "content": "One"},
                {"role": "user", "content": [{"type": "text", "text": " "}, {"type": "text", "text": "Two"}]},
                {"role": "assistant", "content": "Deux"},
                {"role": "user", "content": "Three"},
            ],
            system=[{"type": "text", "text": "Be brief.", "cache_control": {"type": "ephemeral"}}],
            temperature=0.5,
            top_p=0.9,
            stop_sequences=["END"],
            stream=True,
            cache_control={"type": "ephemeral"},
        )
    )

    assert body_of(wire) == {
        "messages": [
            user({"text": "One"}, {"text": "Two"}),
            {"role": "assistant", "content": [{"text": "Deux"}]},
            user({"text": "Three"}),
        ],
        "system": [{"text": "Be brief."}, {"text": "In French."}],
        "inferenceConfig": {"maxTokens": 40, "temperature": 0.5, "topP": 0.9, "stopSequences": ["END"]},
    }
    caching = (Adaptation("cache_control", "dropped"),)
    assert (wire.adaptations, wire.stop_sequences, wire.needs_stream) == (caching, ("END",), False)


def test_of_several_stop_sequences_the_upstream_hears_nothing() -> None:
    """It would not tell which one it was; so we look, and only a stream can be ended."""
    wire = wire_of(call_of(stop_sequences=["A", "B"]))

    assert body_of(wire)["inferenceConfig"] == {"maxTokens": 40}
    assert (wire.stop_sequences, wire.needs_stream) == (("A", "B"), True)


def test_what_converse_has_no_word_for_is_dropped_aloud() -> None:
    """Unless the route's table knows the model's own word for it."""
    wire = wire_of(
        call_of(
            top_k=5,
            thinking={"type": "enabled", "budget_tokens": 1024},
            metadata={"user_id": "u"},
            output_config={"effort": "low", "other": 1, "nothing": None},
            service_tier="auto",
            nothing=None,
            temperature=0.1,
            top_p=0.2,
            takes={"fields": {"temperature": "drop", "top_p": "drop"}},
            betas=("some-beta-2026-01-01",),
            max_output_tokens=30,
        )
    )

    assert body_of(wire) == {"messages": [user({"text": "Hello"})], "inferenceConfig": {"maxTokens": 30}}
    assert wire.adaptations == (
        Adaptation("max_tokens", "30"),
        Adaptation("temperature", "dropped"),
        Adaptation("top_p", "dropped"),
        Adaptation("output_config.effort", "dropped"),
        Adaptation("output_config.other", "dropped"),
        Adaptation("top_k", "dropped"),
        Adaptation("thinking", "dropped"),
        Adaptation("metadata", "dropped"),
        Adaptation("service_tier", "dropped"),
        Adaptation("anthropic-beta.some-beta-2026-01-01", "dropped"),
    )


def test_a_route_says_where_its_model_wants_a_field() -> None:
    """An arrow is a place below additionalModelRequestFields, a pass the field's own name there."""
    wire = wire_of(
        call_of(
            top_k=5,
            thinking={"type": "enabled", "budget_tokens": 1024},
            output_config={"effort": "low", **FORMAT},
            seed=7,
            takes={
                "fields": {
                    "top_k": "-> inferenceConfig.topK",
                    "thinking": "-> thinking",
                    "output_config.effort": "pass",
                    "output_config.format": "pass",
                    "seed": "pass",
                }
            },
        )
    )

    body = body_of(wire)
    assert body["additionalModelRequestFields"] == {
        "inferenceConfig": {"topK": 5},
        "thinking": {"type": "enabled", "budget_tokens": 1024},
        "seed": 7,
    }
    structure = {"jsonSchema": {"schema": '{"type":"object","properties":{"a":{"type":"integer"}}}'}}
    assert body["outputConfig"] == {"textFormat": {"type": "json_schema", "structure": structure}, "effort": "low"}
    assert wire.adaptations == ()


def test_effort_may_be_a_field_of_the_models_own() -> None:
    """As the open models have it."""
    takes = {"fields": {"output_config.effort": "-> reasoning_effort"}}

    body = body_of(wire_of(call_of(output_config={"effort": "low"}, takes=takes)))

    assert body["additionalModelRequestFields"] == {"reasoning_effort": "low"}
    assert "outputConfig" not in body


@pytest.mark.parametrize("action", ["drop", "refuse"])
def test_a_field_that_asks_for_nothing_is_not_missed(action: str) -> None:
    """Some clients always send an empty list of servers."""
    takes = {"fields": {"mcp_servers": action, "seed": "pass"}}
    wire = wire_of(call_of("Hi", takes=takes, mcp_servers=[], seed=[]))

    assert (body_of(wire)["additionalModelRequestFields"], wire.adaptations) == ({"seed": []}, ())


def test_a_field_that_the_table_passes_goes_under_its_own_name() -> None:
    """Converse has no word for it, the model may: nothing is left out in silence (C04)."""
    names = ("top_k", "thinking", "metadata", "seed")
    fields = {"top_k": 5, "thinking": {"type": "adaptive"}, "metadata": {"user_id": "u"}, "seed": 7}
    wire = wire_of(call_of("Hi", takes={"fields": dict.fromkeys(names, "pass")}, **fields))  # type: ignore[arg-type]  # of any type

    assert (body_of(wire)["additionalModelRequestFields"], wire.adaptations) == (fields, ())


def test_thinking_that_is_disabled_needs_no_word() -> None:
    """It is what these models do anyway."""
    assert wire_of(call_of(thinking={"type": "disabled"})).adaptations == ()


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"max_tokens": 0}, "max_tokens"),
        ({"mcp_servers": [{"type": "url"}]}, "mcp_servers"),
        ({"tools": [{"type": "web_search_20260318", "name": "web_search"}]}, "tools.0.type"),
        ({"tool_choice": {"type": "any"}}, "tool_choice"),
        ({"tools": [WEATHER], "tool_choice": {"type": "tool", "name": "other"}}, "tool_choice.name"),
    ],
)
def test_what_cannot_be_honoured_is_refused_by_name(fields: dict[str, object], param: str) -> None:
    """Before anything is sent."""
    with pytest.raises(InvalidRequest) as caught:
        wire_of(call_of(**fields))  # type: ignore[arg-type]  # fields of any type

    assert caught.value.param == param


@pytest.mark.parametrize(
    ("messages", "param"),
    [
        ([{"role": "user", "content": ""}], "messages"),
        ([{"role": "assistant", "content": "I begin."}, {"role": "user", "content": "No."}], "messages.0.role"),
        (
            [{"role": "user", "content": [{"type": "image", "source": {"type": "file", "file_id": "f"}}]}],
            "messages.0.content.0",
        ),
        (
            [{"role": "user", "content": [{"type": "image", "source": {**SOURCE, "media_type": "image/x"}}]}],
            "messages.0.content.0.source.media_type",
        ),
        (
            [
                {
                    "role": "user",
                    "content": [{"type": "document", "source": {"type": "url", "url": "https://a.invalid"}}],
                }
            ],
            "messages.0.content.0",
        ),
        (
            [
                {
                    "role": "user",
                    "content": [
                        {"type": "document", "source": {"type": "base64", "media_type": "image/tiff", "data": "AA=="}}
                    ],
                }
            ],
            "messages.0.content.0.source.media_type",
        ),
        ([{"role": "user", "content": [{"type": "container_upload", "file_id": "f"}]}], "messages.0.content.0"),
    ],
)
def test_blocks_without_a_place_are_refused_by_their_path(messages: list[object], param: str) -> None:
    """Whatever turn they stand in."""
    with pytest.raises(InvalidRequest) as caught:
        told(messages)

    assert caught.value.param == param


def test_a_container_is_refused_as_on_every_route_without_one() -> None:
    """C04: its files and skills are what the reply would rest on."""
    with pytest.raises(InvalidRequest) as caught:
        wire_of(call_of(container="container_1"))

    assert caught.value.param == "container"


@pytest.mark.parametrize("kind", ["image", "document"])
@pytest.mark.parametrize("source", [{"type": "url", "url": "https://a.invalid/x"}, {"type": "file", "file_id": "f"}])
def test_references_are_refused_even_where_a_table_passes_them(kind: str, source: dict[str, object]) -> None:
    """Converse takes bytes; a table cannot change that."""
    takes = {"blocks": {f"{kind}.{source['type']}": "pass"}}

    with pytest.raises(InvalidRequest) as caught:
        told([{"role": "user", "content": [{"type": kind, "source": source}]}], takes=takes)

    assert caught.value.param == "messages.0.content.0.source"


def test_an_unknown_block_is_dropped_or_refused_as_the_table_says() -> None:
    """A pass cannot be: there is nothing that it could become."""
    block = {"type": "fallback", "x": 1}
    content = [{"type": "text", "text": "Hi"}, block]

    messages, adaptations = told(content, takes={"blocks": {"fallback": "drop"}})

    assert (messages, adaptations) == ([user({"text": "Hi"})], (Adaptation("messages.0.content.1", "dropped"),))
    with pytest.raises(InvalidRequest):
        told(content, takes={"blocks": {"fallback": "pass"}})

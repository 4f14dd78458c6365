"""The translation to Converse: what the model is told, what is left out, what is refused."""

from base64 import b64encode

import pytest
from pydantic_core import from_json

from megallm.errors import InvalidRequest
from megallm.messages.calls import Adaptation, Call
from megallm.messages.native.capabilities import GO_ON
from megallm.messages.requests import JsonSchemaFormat, MessagesRequest
from megallm.providers.bedrock.converse.names import Names
from megallm.providers.bedrock.converse.tools import NO_CALLS, OUTPUT_TOOL
from megallm.providers.bedrock.converse.wire import ConverseWire, repair_body, to_wire
from megallm.providers.judging import Fault, instruction

from .asking import CALL_TURNS, NOVA, PNG, SIGNER, WEATHER, call_of

ROUTE = f"bedrock/{NOVA}"
WEATHER_SPEC = {
    "toolSpec": {
        "name": "get_weather",
        "description": WEATHER["description"],
        "inputSchema": {"json": WEATHER["input_schema"]},
    }
}
SOURCE = {"type": "base64", "media_type": "image/png", "data": PNG}
IMAGE = {"type": "image", "source": SOURCE}
WIRE_IMAGE = {"image": {"format": "png", "source": {"bytes": PNG}}}
SCHEMA = {"type": "object", "properties": {"a": {"type": "integer"}}}
FORMAT = {"format": {"type": "json_schema", "schema": SCHEMA}}
USED = {"toolUse": {"toolUseId": "t1", "name": "get_weather", "input": {"city": "Paris"}}}


def replays(signature: str, thinking: str) -> bool:
    """As the provider decides it."""
    return SIGNER.route_of(signature, thinking) == ROUTE


def wire_of(call: Call[MessagesRequest]) -> ConverseWire:
    """The translated request."""
    return to_wire(call, replays)


def body_of(wire: ConverseWire) -> dict[str, object]:
    """What goes over the wire."""
    body: dict[str, object] = from_json(wire.body)
    return body


def told(content: object, **more: object) -> tuple[object, tuple[Adaptation, ...]]:
    """The messages of the body, and what was adapted."""
    wire = wire_of(call_of(content, **more))  # type: ignore[arg-type]  # fields of any type
    return body_of(wire)["messages"], wire.adaptations


def user(*content: object) -> dict[str, object]:
    """A user's turn as Converse has it."""
    return {"role": "user", "content": list(content)}


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
    assert (wire.adaptations, wire.stop_sequences, wire.needs_stream) == ((), ("END",), False)


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


def test_images_and_documents() -> None:
    """Texts stand in line; files have a clean name of their own, and words beside them."""
    pdf = {"type": "base64", "media_type": "application/pdf", "data": "JVBERi0="}
    messages, adaptations = told(
        [
            IMAGE,
            {"type": "document", "source": pdf, "title": "Q3/Q4: report", "context": "From the board."},
            {"type": "document", "source": pdf, "citations": {"enabled": True}},
            {"type": "document", "title": "T", "context": "C", "source": {"type": "text", "data": "Body"}},
            {"type": "document", "source": {"type": "content", "content": "Text"}},
            {
                "type": "document",
                "source": {"type": "content", "content": [{"type": "text", "text": "Part"}, IMAGE]},
            },
            {
                "type": "search_result",
                "source": "https://a.invalid",
                "title": "S",
                "content": [{"type": "text", "text": "Found"}],
                "citations": {"enabled": True},
            },
        ]
    )

    assert messages == [
        user(
            WIRE_IMAGE,
            {"text": "From the board."},
            {"document": {"format": "pdf", "name": "Q3 Q4 report (1)", "source": {"bytes": "JVBERi0="}}},
            {"document": {"format": "pdf", "name": "Document (2)", "source": {"bytes": "JVBERi0="}}},
            {"text": "<document>\nT\nC\nBody\n</document>"},
            {"text": "<document>\nText\n</document>"},
            {"text": "<document>\nPart\n</document>"},
            WIRE_IMAGE,
            {"text": "[search result: S (https://a.invalid)]\nFound"},
        )
    ]
    assert adaptations == (
        Adaptation("messages.0.content.1.title", "cleaned"),
        Adaptation("messages.0.content.2.citations", "dropped"),
        Adaptation("messages.0.content.6.citations", "dropped"),
    )


def test_a_table_may_pass_documents_and_search_results_as_converses_own() -> None:
    """Where the model knows them; a document alone gets words beside it."""
    takes = {"blocks": {"document.text": "pass", "search_result": "pass"}}
    text = {"type": "document", "source": {"type": "text", "data": "Body"}}
    result = {"type": "search_result", "source": "u", "title": "S", "content": [{"type": "text", "text": "Found"}]}

    messages, _ = told([text, result], takes=takes)

    body = b64encode(b"Body").decode()
    assert messages == [
        user(
            {"text": "See the document."},
            {"document": {"format": "txt", "name": "Document (1)", "source": {"bytes": body}}},
            {"searchResult": {"source": "u", "title": "S", "content": [{"text": "Found"}]}},
        )
    ]


def test_a_table_may_drop_what_the_model_cannot_see() -> None:
    """Aloud, and the rest stays."""
    takes = {"blocks": {"image": "drop", "image.base64": "drop", "document.text": "drop", "search_result": "drop"}}
    text = {"type": "document", "source": {"type": "text", "data": "Body"}}
    result = {"type": "search_result", "source": "u", "title": "S", "content": []}

    messages, adaptations = told([{"type": "text", "text": "Hi"}, IMAGE, text, result], takes=takes)

    assert messages == [user({"text": "Hi"})]
    assert adaptations == tuple(Adaptation(f"messages.0.content.{at}", "dropped") for at in (1, 2, 3))


def test_calls_and_results() -> None:
    """Results come first in their turn; what they cannot hold for this model stands beside them (C17)."""
    result = {
        "type": "tool_result",
        "tool_use_id": "t1",
        "is_error": True,
        "content": [{"type": "text", "text": "cold"}, IMAGE],
    }
    empty = {"type": "tool_result", "tool_use_id": "t2"}
    messages, adaptations = told(
        [*CALL_TURNS, {"role": "user", "content": [{"type": "text", "text": "So?"}, result, empty]}], tools=[WEATHER]
    )

    assert messages == [
        user({"text": "Paris?"}),
        {"role": "assistant", "content": [USED]},
        user(
            {"toolResult": {"toolUseId": "t1", "content": [{"text": "Error:"}, {"text": "cold"}]}},
            {"toolResult": {"toolUseId": "t2", "content": [{"text": "(no output)"}]}},
            {"text": "So?"},
            WIRE_IMAGE,
        ),
    ]
    assert adaptations == ()


def test_a_model_that_knows_errors_and_images_in_results_gets_them_there() -> None:
    """As Nova does."""
    takes = {"blocks": {"tool_result.image": "pass", "tool_result.is_error": "pass"}}
    result = {"type": "tool_result", "tool_use_id": "t1", "is_error": True, "content": [IMAGE]}

    messages, _ = told([*CALL_TURNS, {"role": "user", "content": [result]}], tools=[WEATHER], takes=takes)

    assert messages[-1] == user(  # type: ignore[index]  # a list
        {"toolResult": {"toolUseId": "t1", "status": "error", "content": [WIRE_IMAGE]}}
    )


def test_a_result_of_an_image_alone_says_where_it_is() -> None:
    """Converse refuses a result without content."""
    result = {"type": "tool_result", "tool_use_id": "t1", "content": [IMAGE]}

    messages, _ = told([*CALL_TURNS, {"role": "user", "content": [result]}], tools=[WEATHER])

    assert messages[-1] == user(  # type: ignore[index]  # a list
        {"toolResult": {"toolUseId": "t1", "content": [{"text": "(see the image below)"}]}}, WIRE_IMAGE
    )


def test_names_and_ids_that_converse_refuses_are_shortened_everywhere() -> None:
    """And mapped back in the reply (C20)."""
    long = "x" * 70
    tool = {"name": long, "input_schema": {}}
    turns = [
        {"role": "user", "content": "Hi"},
        {"role": "assistant", "content": [{"type": "tool_use", "id": "a/b", "name": long, "input": {}}]},
        {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "a/b", "content": "ok"}]},
    ]
    takes = {"fields": {"tool_choice.tool": "pass"}}

    wire = wire_of(call_of(turns, tools=[tool], tool_choice={"type": "tool", "name": long}, takes=takes))

    short = Names().tool(long)
    ((sent, original),) = wire.tool_names.items()
    assert (sent, original, len(sent)) == (short, long, 64)
    body = body_of(wire)
    assert body["toolConfig"] == {
        "tools": [{"toolSpec": {"name": short, "inputSchema": {"json": {"type": "object"}}}}],
        "toolChoice": {"tool": {"name": short}},
    }
    call, result = body["messages"][1:]  # type: ignore[index]  # a list
    assert call["content"][0]["toolUse"]["name"] == short
    identifier = call["content"][0]["toolUse"]["toolUseId"]
    assert identifier.startswith("toolu_")
    assert result["content"][0]["toolResult"]["toolUseId"] == identifier


def test_fields_of_tools() -> None:
    """Caching is removed in silence, what the model does not know aloud."""
    tool = {**WEATHER, "cache_control": {"type": "ephemeral"}, "strict": True, "defer_loading": True, "off": False}

    wire = wire_of(call_of(tools=[tool], tool_choice={"type": "auto", "disable_parallel_tool_use": True}))
    passed = wire_of(call_of(tools=[tool], takes={"fields": {"tools.strict": "pass"}}))

    assert body_of(wire)["toolConfig"] == {"tools": [WEATHER_SPEC]}
    assert wire.adaptations == (
        Adaptation("tools.0.strict", "dropped"),
        Adaptation("tools.0.defer_loading", "dropped"),
        Adaptation("tool_choice.disable_parallel_tool_use", "dropped"),
    )
    assert body_of(passed)["toolConfig"] == {"tools": [{"toolSpec": {**WEATHER_SPEC["toolSpec"], "strict": True}}]}


@pytest.mark.parametrize(
    ("choice", "wanted"),
    [
        ({"type": "any"}, {"any": {}}),
        ({"type": "tool", "name": "get_weather"}, {"tool": {"name": "get_weather"}}),
    ],
)
def test_a_forced_call_is_forced_where_the_model_can_be(choice: dict[str, object], wanted: object) -> None:
    """Elsewhere the model may choose, and the response says so."""
    takes = {"fields": {"tool_choice.any": "pass", "tool_choice.tool": "pass"}}

    forced = wire_of(call_of(tools=[WEATHER], tool_choice=choice, takes=takes))
    free = wire_of(call_of(tools=[WEATHER], tool_choice=choice))

    assert body_of(forced)["toolConfig"] == {"tools": [WEATHER_SPEC], "toolChoice": wanted}
    assert body_of(free)["toolConfig"] == {"tools": [WEATHER_SPEC]}
    assert (forced.adaptations, free.adaptations) == ((), (Adaptation("tool_choice", "dropped"),))


def test_with_choice_none_the_tools_are_left_out() -> None:
    """What the model does not know it cannot call."""
    wire = wire_of(call_of(tools=[WEATHER], tool_choice={"type": "none"}))

    assert ("toolConfig" in body_of(wire), wire.adaptations) == (False, ())


@pytest.mark.parametrize(
    ("fields", "adapted", "tools"),
    [
        (
            {"tools": [WEATHER], "tool_choice": {"type": "none"}},
            Adaptation("tool_choice", "by instruction"),
            [WEATHER_SPEC],
        ),
        (
            {},
            Adaptation("tools", "taken from the history"),
            [{"toolSpec": {"name": "get_weather", "inputSchema": {"json": {"type": "object"}}}}],
        ),
    ],
)
def test_a_history_with_calls_needs_tools(fields: dict[str, object], adapted: Adaptation, tools: object) -> None:
    """Converse refuses it without; so the model is told in words not to call."""
    turns = [*CALL_TURNS, {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "t1", "content": "ok"}]}]

    wire = wire_of(call_of(turns, **fields))  # type: ignore[arg-type]  # fields of any type

    body = body_of(wire)
    assert (body["toolConfig"], body["system"]) == ({"tools": tools}, [{"text": NO_CALLS}])
    assert wire.adaptations == (adapted,)


def test_a_schema_for_the_output_is_a_tool_that_has_to_be_called() -> None:
    """Alone by its name, beside others as one of them; a model that cannot be forced is told."""
    takes = {"fields": {"tool_choice.any": "pass", "tool_choice.tool": "pass"}}
    output = {
        "toolSpec": {
            "name": OUTPUT_TOOL,
            "description": "Gives the reply to the user, in the form that is asked for.",
            "inputSchema": {"json": SCHEMA},
        }
    }

    alone = wire_of(call_of(output_config=FORMAT, takes=takes))
    beside = wire_of(call_of(output_config=FORMAT, tools=[WEATHER], takes=takes))
    told_so = wire_of(call_of(output_config=FORMAT))

    assert body_of(alone)["toolConfig"] == {"tools": [output], "toolChoice": {"tool": {"name": OUTPUT_TOOL}}}
    assert body_of(beside)["toolConfig"] == {"tools": [WEATHER_SPEC, output], "toolChoice": {"any": {}}}
    assert body_of(told_so)["toolConfig"] == {"tools": [output]}
    assert body_of(told_so)["system"] == [{"text": f"Give your reply by calling the tool {OUTPUT_TOOL}."}]
    assert [wire.output_tool for wire in (alone, beside, told_so)] == [True, True, True]
    assert (alone.adaptations, told_so.adaptations) == ((), (Adaptation("output_config.format", "by instruction"),))


@pytest.mark.parametrize("schema", [{"enum": ["a", 1]}, {"const": 1}, {"type": "array"}])
def test_a_schema_of_no_objects_is_told_in_words(schema: dict[str, object]) -> None:
    """A tool's input is an object; the caller's tools stay as they are (C45)."""
    wanted = {"format": {"type": "json_schema", "schema": schema}}
    told = instruction(JsonSchemaFormat.model_validate(wanted["format"]))
    turns = [*CALL_TURNS, {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "t1", "content": "ok"}]}]

    wire = wire_of(call_of(output_config=wanted, tools=[WEATHER]))
    not_called = wire_of(call_of(turns, output_config=wanted, tools=[WEATHER], tool_choice={"type": "none"}))

    assert (body_of(wire)["toolConfig"], body_of(wire)["system"]) == ({"tools": [WEATHER_SPEC]}, [{"text": told}])
    assert body_of(not_called)["system"] == [{"text": f"{told}\n\n{NO_CALLS}"}]
    assert wire.adaptations == (Adaptation("output_config.format", "by instruction"),)
    assert (wire.output_tool, wire.format is not None) == (False, True)


@pytest.mark.parametrize("schema", [{}, {"$ref": "#/$defs/a", "$defs": {"a": {"type": "object"}}}])
def test_a_schema_that_may_mean_objects_is_the_tools(schema: dict[str, object]) -> None:
    """Said to be one."""
    wire = wire_of(call_of(output_config={"format": {"type": "json_schema", "schema": schema}}))

    (tool,) = body_of(wire)["toolConfig"]["tools"]  # type: ignore[index]  # an object
    assert tool["toolSpec"]["inputSchema"] == {"json": {"type": "object", **schema}}


def test_a_schema_has_to_be_one_and_excludes_a_prefill() -> None:
    """The reply is judged by it, unless Converse holds the model to it."""
    bad = {"format": {"type": "json_schema", "schema": {"type": "text"}}}
    turns = [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "{"}]

    with pytest.raises(InvalidRequest) as no_schema:
        wire_of(call_of(output_config=bad))
    with pytest.raises(InvalidRequest) as prefilled:
        wire_of(call_of(turns, output_config=FORMAT))

    assert (no_schema.value.param, prefilled.value.param) == ("output_config.format.schema", "output_config.format")
    assert wire_of(call_of(output_config=bad, takes={"fields": {"output_config.format": "pass"}})).format is None


def test_the_request_that_asks_again_has_the_reply_and_its_fault() -> None:
    """A reply without words is not shown: turns alternate, and blank ones are refused."""
    wire = wire_of(call_of("Hi", output_config=FORMAT))
    asked = body_of(wire)

    shown = from_json(repair_body(wire.body, Fault("{", "No.")))
    not_shown = from_json(repair_body(wire.body, Fault(" ", "No.")))

    assert shown == asked | {
        "messages": [
            {"role": "user", "content": [{"text": "Hi"}]},
            {"role": "assistant", "content": [{"text": "{"}]},
            {"role": "user", "content": [{"text": "No."}]},
        ]
    }
    assert not_shown == asked | {"messages": [{"role": "user", "content": [{"text": "Hi"}, {"text": "No."}]}]}


def test_a_schema_that_the_table_drops_is_dropped_aloud() -> None:
    """Once."""
    wire = wire_of(call_of(output_config=FORMAT, takes={"fields": {"output_config.format": "drop"}}))

    assert ("toolConfig" in body_of(wire), wire.adaptations) == (
        False,
        (Adaptation("output_config.format", "dropped"),),
    )


def test_system_turns_keep_their_places() -> None:
    """As a user's words between marks, or as they are where the model knows the role (C06)."""
    turns = [
        {"role": "user", "content": "Hi"},
        {"role": "system", "content": "In French."},
        {"role": "system", "content": ""},
        {"role": "user", "content": "Bye"},
    ]

    messages, adaptations = told(turns)
    kept, none = told(turns, takes={"features": {"system_turns": True}})

    assert messages == [user({"text": "Hi"}, {"text": "<system>\nIn French.\n</system>"}, {"text": "Bye"})]
    assert adaptations == (Adaptation("messages.1", "user turn"),)
    assert kept == [
        user({"text": "Hi"}),
        {"role": "system", "content": [{"text": "In French."}]},
        user({"text": "Bye"}),
    ]
    assert none == ()


def test_a_system_turn_that_shows_something_is_the_users_even_in_front() -> None:
    """A system prompt is words alone."""
    turns = [
        {"role": "system", "content": [{"type": "text", "text": "See:"}, IMAGE]},
        {"role": "user", "content": "Hi"},
    ]

    assert told(turns) == (
        [user({"text": "<system>\nSee:\n</system>"}, WIRE_IMAGE, {"text": "Hi"})],
        (Adaptation("messages.0", "user turn"),),
    )


def test_a_prefill_is_continued_or_asked_for_in_words() -> None:
    """Its white space is taken back, since Converse refuses it there (C05, C46)."""
    turns = [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "The answer is \n"}]

    messages, adaptations = told(turns)
    wire = wire_of(call_of(turns, takes={"features": {"prefill": True}}))

    assert messages == [
        user({"text": "Hi"}),
        {"role": "assistant", "content": [{"text": "The answer is \n"}]},
        user({"text": GO_ON}),
    ]
    assert adaptations == (Adaptation("messages.1", "continued by instruction"),)
    assert body_of(wire)["messages"] == [
        user({"text": "Hi"}),
        {"role": "assistant", "content": [{"text": "The answer is"}]},
    ]
    assert (wire.space, wire.adaptations) == (" \n", ())


def test_a_trailing_turn_without_text_has_no_space() -> None:
    """Where the table lets it be."""
    turns = [*CALL_TURNS]

    wire = wire_of(call_of(turns, tools=[WEATHER], takes={"features": {"prefill": True}}))

    assert (wire.space, body_of(wire)["messages"][-1]) == ("", {"role": "assistant", "content": [USED]})  # type: ignore[index]  # a list


def test_thinking_goes_back_to_the_route_that_produced_it_and_nowhere_else() -> None:
    """By our signature (C15), and only where the model wants it."""
    ours = {"type": "thinking", "thinking": "Hm.", "signature": SIGNER.sign(ROUTE, "Hm.")}
    others = {"type": "thinking", "thinking": "Hm.", "signature": SIGNER.sign("other/model", "Hm.")}
    redacted = {"type": "redacted_thinking", "data": "xyz"}
    turns = [
        {"role": "user", "content": "Hi"},
        {"role": "assistant", "content": [ours, others, redacted, {"type": "text", "text": "Yes"}]},
        {"role": "user", "content": "Bye"},
    ]

    wanted, adapted = told(turns, takes={"blocks": {"thinking": "pass"}})
    unwanted, all_adapted = told(turns)

    assert wanted[1]["content"] == [{"reasoningContent": {"reasoningText": {"text": "Hm."}}}, {"text": "Yes"}]  # type: ignore[index]  # a list
    assert adapted == (
        Adaptation("messages.1.content.1", "dropped"),
        Adaptation("messages.1.content.2", "dropped"),
    )
    assert unwanted[1]["content"] == [{"text": "Yes"}]  # type: ignore[index]  # a list
    assert all_adapted == tuple(Adaptation(f"messages.1.content.{at}", "dropped") for at in range(3))


def test_a_model_that_signs_itself_gets_its_thinking_as_it_was() -> None:
    """Redacted thinking too."""
    turns = [
        {"role": "user", "content": "Hi"},
        {
            "role": "assistant",
            "content": [
                {"type": "thinking", "thinking": "Hm.", "signature": "sig"},
                {"type": "redacted_thinking", "data": "xyz"},
                {"type": "text", "text": "Yes"},
            ],
        },
        {"role": "user", "content": "Bye"},
    ]

    messages, adaptations = told(turns, takes={"features": {"native_signatures": True}})

    assert messages[1]["content"] == [  # type: ignore[index]  # a list
        {"reasoningContent": {"reasoningText": {"text": "Hm.", "signature": "sig"}}},
        {"reasoningContent": {"redactedContent": "xyz"}},
        {"text": "Yes"},
    ]
    assert adaptations == ()


def test_a_guess_at_the_input_leaves_out_what_is_no_text() -> None:
    """A picture's letters are not its tokens."""
    plain = wire_of(call_of("Hello"))
    seen = wire_of(call_of([{"type": "text", "text": "Hello"}, IMAGE]))

    assert plain.estimated_tokens == len(plain.body) // 4
    assert seen.estimated_tokens == (len(seen.body) - len(PNG)) // 4

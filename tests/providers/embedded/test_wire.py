"""The translation to a small text model: what it is told, what is left out, what is refused."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from megallm.errors import InvalidRequest
from megallm.messages.calls import Adaptation
from megallm.messages.requests import Tool
from megallm.providers.embedded.prompt import PromptTurn
from megallm.providers.embedded.tools import any_call_schema, arguments_schema, closed_schema
from megallm.providers.embedded.wire import DEFAULT_TEMPERATURE, Constraint, Wire, to_wire

from .asking import SEARCH, WEATHER, call_of

CALL_TURNS = [
    {"role": "user", "content": "Paris?"},
    {"role": "assistant", "content": [{"type": "tool_use", "id": "t1", "name": "get_weather", "input": {"city": "é"}}]},
]


def wire_of(content: object = "Hello", **fields: object) -> Wire:
    """The translated request."""
    return to_wire(call_of(content, **fields))


def told(wire: Wire) -> list[tuple[str, str]]:
    """The conversation as the model reads it."""
    return [(turn.role, _text(turn)) for turn in wire.prompt.turns]


def _text(turn: PromptTurn) -> str:
    return "".join(piece.text for piece in turn.pieces)


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


def test_tools_are_listed_after_the_system_prompt() -> None:
    """And a model that may choose is bound by no grammar."""
    wire = wire_of(system="Be brief.", tools=[WEATHER])

    assert told(wire)[0][1].startswith("Be brief.\n\n# Tools\n")
    assert '"name": "get_weather"' in told(wire)[0][1]
    assert (wire.calls, wire.constraint, wire.parallel) == ("chosen", None, True)


def test_with_tool_choice_none_the_tools_are_not_told() -> None:
    """What it does not know it cannot call."""
    wire = wire_of(tools=[WEATHER], tool_choice={"type": "none"})

    assert (told(wire), wire.calls) == ([("user", "Hello")], "none")


def test_a_forced_tool_begins_in_the_prompt() -> None:
    """The model writes the arguments only, under the tool's schema."""
    wire = wire_of(tools=[WEATHER, SEARCH], tool_choice={"type": "tool", "name": "search_web"})

    suffix = "".join(piece.text for piece in wire.prompt.suffix)
    assert suffix == '<tool_call>\n{"name": "search_web", "arguments": '
    assert (wire.calls, wire.primer) == ("forced", '{"name": "search_web", "arguments": ')
    assert wire.constraint == Constraint(arguments_schema(Tool.model_validate(SEARCH)), "tools.1.input_schema")


def test_one_of_several_tools_may_be_forced() -> None:
    """The model chooses which; a fault in the schema of one is told of that one."""
    wire = wire_of(tools=[WEATHER, SEARCH], tool_choice={"type": "any"})

    tools = [Tool.model_validate(WEATHER), Tool.model_validate(SEARCH)]
    parts = tuple(Constraint(arguments_schema(tool), f"tools.{at}.input_schema") for at, tool in enumerate(tools))
    assert wire.constraint == Constraint(any_call_schema(tools), "tools", parts)
    assert (wire.calls, wire.primer, wire.parallel) == ("forced", "", False)


def test_a_format_and_tools_that_may_be_called_are_one_schema() -> None:
    """A reply of the format, or a call."""
    answer = {"type": "object", "properties": {"a": {"type": "string"}}}

    wire = wire_of(tools=[WEATHER], output_config={"format": {"type": "json_schema", "schema": answer}})

    tool = Tool.model_validate(WEATHER)
    parts = (
        Constraint(arguments_schema(tool), "tools.0.input_schema"),
        Constraint(closed_schema(answer), "output_config.format.schema"),
    )
    assert wire.constraint == Constraint(any_call_schema([tool], answer), "output_config.format.schema", parts)


def test_calls_may_be_held_to_one_at_a_time() -> None:
    """C19."""
    choices = [{"type": "auto"}, {"type": "auto", "disable_parallel_tool_use": True}]

    assert [wire_of(tools=[WEATHER], tool_choice=choice).parallel for choice in choices] == [True, False]


def test_references_in_a_tools_schema_move_with_it() -> None:
    """Several tools share one schema, each below a name of its own."""
    schema = {"properties": {"a": {"$ref": "#/$defs/A"}}, "$defs": {"A": {"enum": [1]}}}
    tools = [Tool(name="one", input_schema=schema), Tool(name="two", input_schema={"type": "object"})]

    built = any_call_schema(tools)

    assert built["$defs"]["tool0"] == {
        "type": "object",
        "properties": {"a": {"$ref": "#/$defs/tool0/$defs/A"}},
        "$defs": {"A": {"enum": [1]}},
        "additionalProperties": False,
    }
    assert [choice["properties"]["arguments"] for choice in built["anyOf"]] == [
        {"$ref": "#/$defs/tool0"},
        {"$ref": "#/$defs/tool1"},
    ]


def test_a_tools_schema_loses_its_own_names_beside_others() -> None:
    """They would turn references elsewhere; what pointed to a named part points to its place, and properties stay."""
    schema = {
        "$id": "https://a.invalid/s",
        "properties": {"$id": {"type": "string"}, "a/b": {"$anchor": "A", "enum": [1]}, "c": {"$ref": "#A"}},
    }
    tools = [Tool(name="one", input_schema=schema), Tool(name="two", input_schema={})]

    built = any_call_schema(tools)

    assert built["$defs"]["tool0"] == {
        "type": "object",
        "properties": {
            "$id": {"type": "string"},
            "a/b": {"enum": [1]},
            "c": {"$ref": "#/$defs/tool0/properties/a~1b"},
        },
        "additionalProperties": False,
    }


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


IMAGE = {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "aGk="}}
PDF = {"type": "document", "source": {"type": "base64", "media_type": "application/pdf", "data": "aGk="}}


@pytest.mark.parametrize(
    ("fields", "param", "message"),
    [
        ({"content": [IMAGE]}, "messages.0.content.0", "tiny takes no images"),
        (
            {"content": [{"type": "text", "text": "a"}, PDF]},
            "messages.0.content.1",
            "tiny takes no documents by base64",
        ),
        (
            {"content": [{"type": "document", "source": {"type": "file", "file_id": "f"}}]},
            "messages.0.content.0",
            "tiny takes no documents by file",
        ),
        (
            {"content": [{"type": "document", "source": {"type": "content", "content": [IMAGE]}}]},
            "messages.0.content.0.source.content.0",
            "tiny takes no images",
        ),
        (
            {"content": [{"type": "tool_result", "tool_use_id": "t", "content": [IMAGE]}]},
            "messages.0.content.0.content.0",
            "tiny takes no images",
        ),
        (
            {"content": [{"type": "container_upload", "file_id": "f"}]},
            "messages.0.content.0",
            "tiny takes no blocks of type 'container_upload'",
        ),
        (
            {"tools": [{"type": "web_search_20260318", "name": "web_search"}]},
            "tools.0.type",
            "tiny has no tool of type",
        ),
        ({"tool_choice": {"type": "any"}}, "tool_choice", "there are no tools"),
        ({"tools": [WEATHER], "tool_choice": {"type": "tool", "name": "x"}}, "tool_choice.name", "no tool 'x'"),
        ({"max_tokens": 0}, "max_tokens", "must be at least 1"),
        ({"mcp_servers": [{"url": "https://a.invalid"}]}, "mcp_servers", "reaches no servers"),
        ({"container": "container_1"}, "container", "tiny has no containers"),
        ({"container": {"skills": []}}, "container", "tiny has no containers"),
        ({"content": [{"role": "assistant", "content": ""}]}, "messages", "nothing to answer"),
    ],
)
def test_what_the_model_cannot_do_is_refused_by_name(fields: dict[str, object], param: str, message: str) -> None:
    """The path of the field, and why."""
    with pytest.raises(InvalidRequest, match=message) as caught:
        wire_of(**fields)

    assert caught.value.param == param


TEXTS = st.text(max_size=8)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | TEXTS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3),
    max_leaves=6,
)
SOURCES = st.one_of(
    st.just({"type": "base64", "media_type": "image/png", "data": ""}),
    st.just({"type": "url", "url": "x"}),
    st.fixed_dictionaries({"type": st.just("text"), "data": TEXTS}),
    st.fixed_dictionaries({"type": st.just("content"), "content": TEXTS}),
)
BLOCKS: st.SearchStrategy[object] = st.deferred(
    lambda: st.one_of(
        st.fixed_dictionaries({"type": st.just("text"), "text": TEXTS}, optional={"citations": JSON}),
        st.fixed_dictionaries({"type": st.just("image"), "source": SOURCES}),
        st.fixed_dictionaries({"type": st.just("document"), "source": SOURCES}, optional={"citations": JSON}),
        st.fixed_dictionaries({"type": st.just("thinking"), "thinking": TEXTS, "signature": TEXTS}),
        st.fixed_dictionaries(
            {
                "type": st.just("tool_use"),
                "id": TEXTS,
                "name": TEXTS,
                "input": st.dictionaries(TEXTS, JSON, max_size=2),
            }
        ),
        st.fixed_dictionaries(
            {
                "type": st.just("tool_result"),
                "tool_use_id": TEXTS,
                "content": TEXTS | st.lists(BLOCKS, max_size=2),
            }
        ),
        st.fixed_dictionaries({"type": TEXTS}),
    )
)
TOOLS = st.fixed_dictionaries(
    {"name": st.sampled_from(["a", "b"]), "input_schema": st.dictionaries(TEXTS | st.just("properties"), JSON)},
    optional={"type": st.sampled_from(["custom", "bash_20250124"]), "strict": JSON, "cache_control": JSON},
)
REQUESTS = st.fixed_dictionaries(
    {
        "model": st.just("m"),
        "max_tokens": st.integers(0, 9),
        "messages": st.lists(
            st.fixed_dictionaries(
                {
                    "role": st.sampled_from(["user", "assistant", "system"]),
                    "content": TEXTS | st.lists(BLOCKS, max_size=3),
                }
            ),
            min_size=1,
            max_size=4,
        ),
    },
    optional={
        "system": TEXTS,
        "tools": st.lists(TOOLS, max_size=3),
        "tool_choice": st.sampled_from(
            [{"type": "auto"}, {"type": "any"}, {"type": "none"}, {"type": "tool", "name": "a"}]
        ),
        "thinking": st.sampled_from([{"type": "disabled"}, {"type": "enabled", "budget_tokens": 1}]),
        "output_config": st.fixed_dictionaries(
            {}, optional={"effort": TEXTS, "format": st.just({"type": "json_schema", "schema": {}})}
        ),
        "stop_sequences": st.lists(st.just("x"), max_size=2),
        "top_k": st.integers(0, 10**30),
        "mcp_servers": JSON,
        "surprise": JSON,
    },
)


@given(REQUESTS)
def test_whatever_the_schema_accepts_is_translated_or_refused(body: dict[str, object]) -> None:
    """Never another exception."""
    messages = body.pop("messages")
    try:
        call = call_of(messages, **body)
    except ValidationError:
        return

    try:
        wire = to_wire(call)
    except InvalidRequest:
        return

    assert wire.prompt.turns

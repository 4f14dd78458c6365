"""Requests: what validates, and errors that name the field."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from megallm.errors import InvalidRequest
from megallm.messages.blocks import OpaqueBlock, TextBlock
from megallm.messages.few_values import LARGE_BYTES
from megallm.messages.requests import MAX_MESSAGES, MessagesRequest, TokenCountRequest, parse

MINIMAL: dict[str, object] = {"model": "m", "max_tokens": 1, "messages": [{"role": "user", "content": "hi"}]}


def parsed(**fields: object) -> MessagesRequest:
    return parse(json.dumps({**MINIMAL, **fields}).encode(), MessagesRequest)


def refusal(body: bytes) -> tuple[str, str | None]:
    with pytest.raises(InvalidRequest) as caught:
        parse(body, MessagesRequest)
    return caught.value.message, caught.value.param


def user(*blocks: object) -> dict[str, object]:
    return {"messages": [{"role": "user", "content": list(blocks)}]}


@pytest.mark.parametrize(
    ("fields", "message", "param"),
    [
        ({"max_tokens": None}, "max_tokens: Input should be a valid integer", "max_tokens"),
        ({"max_tokens": "5"}, "max_tokens: Input should be a valid integer", "max_tokens"),
        ({"max_tokens": -1}, "max_tokens: Input should be greater than or equal to 0", "max_tokens"),
        ({"temperature": 1.1}, "temperature: Input should be less than or equal to 1", "temperature"),
        ({"temperature": "0"}, "temperature: Input should be a valid number", "temperature"),
        ({"top_p": -0.1}, "top_p: Input should be greater than or equal to 0", "top_p"),
        ({"stream": "yes"}, "stream: Input should be a valid boolean", "stream"),
        ({"messages": []}, "messages: List should have at least 1 item after validation, not 0", "messages"),
        ({"messages": "hi"}, "messages: Input should be a valid list", "messages"),
        ({"messages": ["hi"]}, "messages.0: Input should be a valid dictionary or instance of Message", "messages.0"),
        (
            {"messages": [{"role": "robot", "content": "x"}]},
            "messages.0.role: Input should be 'user', 'assistant' or 'system'",
            "messages.0.role",
        ),
        (user({"type": "text"}), "messages.0.content.0.text is required", "messages.0.content.0.text"),
        (user({"text": "x"}), "messages.0.content.0: Input should be an object with a known 'type'", None),
        (user("x"), "messages.0.content.0: Input should be an object with a known 'type'", None),
        (
            user({"type": "image", "source": {"type": "base64", "media_type": "image/png"}}),
            "messages.0.content.0.source.data is required",
            "messages.0.content.0.source.data",
        ),
        (
            user({"type": "tool_result", "tool_use_id": "t", "content": [{"type": "text", "text": 5}]}),
            "messages.0.content.0.content.0.text: Input should be a valid string",
            "messages.0.content.0.content.0.text",
        ),
        ({"tools": [{"name": "f"}]}, "tools.0.input_schema is required", "tools.0.input_schema"),
        ({"tool_choice": {"type": "tool"}}, "tool_choice.name is required", "tool_choice.name"),
        (
            {"stop_sequences": [""]},
            "stop_sequences.0: String should have at least 1 character",
            "stop_sequences.0",
        ),
    ],
)
def test_an_invalid_field_is_named(fields: dict[str, object], message: str, param: str | None) -> None:
    """The message begins with the dotted path, which is also `param`."""
    body = json.dumps({**MINIMAL, **fields}).encode()

    assert refusal(body) == (message, param or message.partition(":")[0])


@pytest.mark.parametrize(
    ("field", "item"),
    [
        ("messages", "1"),
        ("stop_sequences", "1"),
        ("tools", "1"),
        ("system", "1"),
        ("messages", '{"role":"user","content":[1,1,1,1,1,1,1,1,1,1]}'),
    ],
)
def test_a_list_is_given_up_at_its_first_fault(field: str, item: str) -> None:
    """A hundred thousand wrong items are one error: each would cost a microsecond and a kilobyte."""
    body = '{"model":"m","max_tokens":1,"messages":[{"role":"user","content":""}],"%s":[%s]}'

    message, _ = refusal((body % (field, ",".join([item] * 100))).encode())

    assert "more)" not in message


@pytest.mark.parametrize(("field", "value"), [("max_tokens", 2**31), ("stop_sequences", ["x"] * 257)])
def test_what_no_upstream_can_count_or_match_is_refused(field: str, value: object) -> None:
    """Numbers past 32 bits came back as other numbers; thousands of sequences froze the stream."""
    assert refusal(json.dumps({**MINIMAL, field: value}).encode())[1] == field


def test_a_long_name_is_cut_in_an_error() -> None:
    """The error is not as large as the request."""
    message, param = refusal(json.dumps({**MINIMAL, "metadata": {"k" * 10_000: "\0"}}).encode())

    assert (len(message) < 200, param) == (True, f"metadata.{'k' * 100}…")


def test_a_missing_field_is_told_as_the_documentation_prints_it() -> None:
    """`max_tokens is required` stands on our documentation's page."""
    assert refusal(b'{"model":"m","messages":[{"role":"user","content":"hi"}]}') == (
        "max_tokens is required",
        "max_tokens",
    )


def test_several_faults_are_counted() -> None:
    """The first is named; nobody reads twenty."""
    assert refusal(b"{}") == ("model is required (and 2 more)", "model")


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"null",
        b"[]",
        b'"text"',
        b"{",
        b"\xff\xfe{}",
        b'{"a": NaN}',
        b'{"model": "\\ud800"}',
        b'{"model": "\xff"}',
        b'{"a":' + b"[" * 10_000 + b"]" * 10_000 + b"}",
        b'{"max_tokens": ' + b"9" * 5000 + b"}",
    ],
)
def test_what_is_no_json_object_is_refused(body: bytes) -> None:
    """Lone surrogates, bad UTF-8, absurd nesting and numbers are an error of the caller (C08)."""
    with pytest.raises(InvalidRequest):
        parse(body, MessagesRequest)


@pytest.mark.parametrize("beside", [{}, {"long": "\\" * LARGE_BYTES}, {"long": "\\" * LARGE_BYTES, "many": [1] * 1001}])
def test_a_nul_character_is_refused_with_its_place(beside: dict[str, object]) -> None:
    """Most upstreams choke on it (C08), however large the request is."""
    body = json.dumps({**MINIMAL, "system": [{"type": "text", "text": "a\0b"}], "metadata": beside}).encode()

    assert refusal(body) == ("system.0.text: NUL characters are not allowed", "system.0.text")


def test_a_nul_character_in_a_name_is_refused_with_the_place_of_the_name() -> None:
    """C08: it would be shown to the caller as it is."""
    body = b'{"model":"m","max_tokens":1,"messages":[{"role":"user","content":"x"}],"metadata":{"a":{"b\\u0000":1}}}'

    assert refusal(body) == ("metadata.a: NUL characters are not allowed", "metadata.a")


@pytest.mark.parametrize("times", [1, LARGE_BYTES])
def test_the_text_of_a_nul_escape_is_allowed(times: int) -> None:
    """A backslash and `u0000` as six characters are text."""
    assert parsed(system="\\u0000" * times).system == "\\u0000" * times


def test_more_messages_than_the_limit_are_refused() -> None:
    """100,000 are allowed, one more is not (C08)."""
    message = '{"role":"user","content":""}'
    body = '{"model":"m","max_tokens":1,"messages":[%s]}'

    allowed = parse((body % ",".join([message] * MAX_MESSAGES)).encode(), MessagesRequest)

    assert len(allowed.messages) == MAX_MESSAGES
    assert refusal((body % ",".join([message] * (MAX_MESSAGES + 1))).encode())[1] == "messages"


def test_unknown_fields_and_blocks_are_kept() -> None:
    """The API grows monthly: what is new reaches a native upstream whole."""
    block = {"type": "hologram", "beam": {"a": [1]}}
    request = parsed(new_field={"x": 1}, **user(block, {"type": "text", "text": "a", "new": True}))

    assert (request.model_extra, request.messages[0].content) == (
        {"new_field": {"x": 1}},
        [OpaqueBlock(type="hologram", beam={"a": [1]}), TextBlock(text="a", new=True)],  # type: ignore[call-arg]
    )


def test_built_in_tools_need_no_schema() -> None:
    """They are known by their type."""
    tool = {"type": "web_search_20260318", "name": "web_search", "max_uses": 3}

    (validated,) = parsed(tools=[tool]).tools or []

    assert validated.model_dump() == tool


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"output_format": {"type": "json_schema", "schema": {"enum": [1]}}}, {"enum": [1]}),
        (
            {
                "output_format": {"type": "json_schema", "schema": {"type": "null"}},
                "output_config": {"effort": "low"},
            },
            {"type": "null"},
        ),
        ({"output_config": {"format": {"type": "json_schema", "schema": {"type": "object"}}}}, {"type": "object"}),
    ],
)
def test_both_spellings_of_a_structured_output_are_one(fields: dict[str, object], expected: dict[str, object]) -> None:
    """The older top-level output_format means output_config.format; `enum` without `type` is a schema (C45)."""
    config = parsed(**fields).output_config

    assert config is not None
    assert config.format is not None
    assert config.format.json_schema == expected


def test_a_token_count_needs_no_max_tokens() -> None:
    """The two routes differ in that."""
    body = b'{"model":"m","messages":[{"role":"user","content":"hi"}]}'

    assert parse(body, TokenCountRequest).model == "m"


JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)


@given(st.sampled_from([*MessagesRequest.model_fields, "output_format", "thread"]), JSON_VALUES)
def test_any_value_in_any_field_validates_or_is_refused(field: str, value: object) -> None:
    """Nothing but InvalidRequest comes out of the parser (C08)."""
    body = json.dumps({**MINIMAL, field: value}).encode()

    try:
        parse(body, MessagesRequest)
    except InvalidRequest as error:
        assert error.message  # noqa: PT017  refusing is as good as validating, crashing is not

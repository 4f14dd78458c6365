"""The body for a native upstream: the caller's bytes, but for what the route's table and model ask for."""

from collections.abc import Collection, Mapping
from typing import Any

import pytest
from pydantic_core import from_json, to_json

from megallm.catalog.compatibility import TakesTable, shipped
from megallm.errors import InvalidRequest
from megallm.messages.calls import Adaptation, Call
from megallm.messages.compatibility import EVERYTHING, Takes
from megallm.messages.native.body import NativeBody, native_body
from megallm.messages.requests import MessagesRequest, TokenCountRequest, parse
from megallm.messages.signatures import Signer

ODD = (
    b' {"max_tokens" : 5,\t"model":"asked", "new_field":{"b":1.0, "a":1e2,"n":123456789012345678901234567890},\n'
    b'"messages":[{"role":"user","content":[{"type":"text","text":"\\u00fc \\/ \xc3\xbc"},'
    b'{"type":"hologram","depth":-0.0, "deep":[ ]}]}], "temperature":1.0}'
)


def call_of(body: bytes, takes: Takes = EVERYTHING, *, cap: int | None = None, **more: Any) -> Call[MessagesRequest]:
    return Call(parse(body, MessagesRequest), "upstream", body=body, takes=takes, max_output_tokens=cap, **more)


def body_of(
    body: bytes,
    *,
    model: str | None = None,
    takes: Takes = EVERYTHING,
    cap: int | None = None,
    betas: tuple[str, ...] = (),
    extra: Mapping[str, object] | None = None,
    without: Collection[str] = (),
) -> NativeBody:
    return native_body(call_of(body, takes, cap=cap, betas=betas), model=model, extra=extra or {}, without=without)


def request(**fields: object) -> bytes:
    """A small body."""
    return to_json({"model": "asked", "max_tokens": 5, "messages": [{"role": "user", "content": "Hi"}], **fields})


def table(**parts: Mapping[str, Any]) -> Takes:
    return TakesTable.model_validate(parts).takes()


def changes(got: NativeBody) -> list[tuple[str, str]]:
    return [(adaptation.field, adaptation.change) for adaptation in got.adaptations]


@pytest.mark.parametrize("model", [None, "asked"])
def test_where_nothing_has_to_change_the_very_same_bytes_go_on(model: str | None) -> None:
    """Not even copied."""
    call = call_of(ODD)

    assert native_body(call, model=model) == NativeBody(ODD, (), ())
    assert native_body(call, model=model).body is call.body


def test_only_the_name_of_the_model_is_replaced() -> None:
    """Unknown fields and blocks, numbers, escapes, order and white space stay."""
    got = body_of(ODD, model='up"stream')

    assert got == NativeBody(ODD.replace(b'"asked"', b'"up\\"stream"'), (), ())


def test_other_members_are_set_and_left_out_without_touching_the_rest() -> None:
    """As Bedrock wants it."""
    got = body_of(ODD, extra={"anthropic_version": "v"}, without=["model", "stream"])

    assert got.body == ODD.replace(b'\t"model":"asked",', b"")[:-1] + b',"anthropic_version":"v"}'


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (  # the word elsewhere, as name and as value
            b'{"max_tokens":5,"metadata":{"model":"a"},"messages":[{"role":"user","content":"Hi"}],"model": "asked"}',
            b'{"max_tokens":5,"metadata":{"model":"a"},"messages":[{"role":"user","content":"Hi"}],"model": "up"}',
        ),
        (  # twice, and the upstream might take the other one
            b'{"model":"dear","max_tokens":5,"messages":[{"role":"user","content":"Hi"}],"model":"asked"}',
            b'{"max_tokens":5,"messages":[{"role":"user","content":"Hi"}],"model":"up"}',
        ),
        (  # its name in escapes
            b'{"\\u006dodel":"asked","max_tokens":5,"messages":[{"role":"user","content":"Hi"}]}',
            b'{"\\u006dodel":"up","max_tokens":5,"messages":[{"role":"user","content":"Hi"}]}',
        ),
        (  # its value in escapes
            b'{"model":"as\\/ked","max_tokens":5,"messages":[{"role":"user","content":"Hi"}]}',
            b'{"model":"up","max_tokens":5,"messages":[{"role":"user","content":"Hi"}]}',
        ),
    ],
)
def test_the_model_is_replaced_wherever_it_stands(body: bytes, expected: bytes) -> None:
    """And nothing else that is called so."""
    assert body_of(body, model="up").body == expected


def test_a_second_model_does_not_pass_though_the_name_stays() -> None:
    """What goes upstream is what was checked."""
    twice = b'{"model":"dear","max_tokens":5,"messages":[{"role":"user","content":"Hi"}],"model":"asked"}'

    assert from_json(body_of(twice, model="asked").body) == from_json(twice)
    assert body_of(twice, model="asked").body.count(b'"model"') == 1


def test_a_call_without_bytes_is_written_from_its_request() -> None:
    """An item of a batch; names are those of the wire, and nothing is added."""
    format_ = {"type": "json_schema", "schema": {"type": "object"}}
    item = {
        "model": "asked",
        "max_tokens": 5,
        "messages": [{"role": "user", "content": [{"type": "text", "text": "Hi", "new": 1}]}],
        "output_config": {"format": format_},
        "newer": {"a": [1]},
    }
    call = Call(MessagesRequest.model_validate(item), "up")

    assert from_json(native_body(call, model="up").body) == {**item, "model": "up"}


def test_max_tokens_are_held_to_the_models_cap() -> None:
    """Clients written for one Claude send 64000 to all; the answer says so."""
    got = body_of(ODD, cap=4)

    assert (got.body, changes(got)) == (ODD.replace(b'"max_tokens" : 5', b'"max_tokens" : 4'), [("max_tokens", "4")])
    assert body_of(ODD, cap=5).body == ODD


def test_a_count_has_no_max_tokens_to_hold() -> None:
    """Its request is the smaller one."""
    body = b'{"model":"asked","messages":[{"role":"user","content":"Hi"}]}'
    call = Call(parse(body, TokenCountRequest), "up", body=body, max_output_tokens=1)

    assert native_body(call, model=None).body == body


def test_thinking_that_we_signed_is_left_out_and_other_thinking_passes() -> None:
    """A native upstream would refuse our signatures (C15)."""
    ours = {"type": "thinking", "thinking": "t", "signature": Signer([b"k"]).sign("house/qwen", "t")}
    theirs = {"type": "thinking", "thinking": "t", "signature": "EqQBCgIYAhIM"}
    question, answer = {"role": "user", "content": "Hi"}, {"type": "text", "text": "Hello"}

    got = body_of(request(messages=[question, {"role": "assistant", "content": [ours, theirs, answer]}, question]))

    kept = {"role": "assistant", "content": [theirs, answer]}
    assert from_json(got.body)["messages"] == [question, kept, question]
    assert changes(got) == [("messages.1.content.0", "dropped")]


def test_a_turn_of_nothing_but_our_thinking_is_refused_by_name() -> None:
    """An empty turn is none, and leaving it out would change who says what."""
    ours = {"type": "thinking", "thinking": "t", "signature": Signer([b"k"]).sign("house/qwen", "t")}
    question = {"role": "user", "content": "Hi"}

    with pytest.raises(InvalidRequest) as caught:
        body_of(request(messages=[question, {"role": "assistant", "content": [ours]}, question]))

    assert caught.value.param == "messages.1.content"


def test_betas_go_by_the_table() -> None:
    """Those that are not passed on are told."""
    takes = table(betas={"a-*": "drop", "a-2": "pass", "b": "-> c", "*": "pass"})

    got = body_of(request(), takes=takes, betas=("a-1", "a-2", "b", "c", "d"))

    assert (got.betas, changes(got)) == (("a-2", "c", "d"), [("anthropic-beta.a-1", "dropped")])


def test_a_beta_that_is_refused_is_named() -> None:
    """In the error's text; the header is at fault."""
    with pytest.raises(InvalidRequest, match="'a-1'") as caught:
        body_of(request(), takes=table(betas={"a-1": "refuse"}), betas=("a-1",))

    assert caught.value.param == "anthropic-beta"


def test_fields_are_dropped_renamed_and_passed_by_the_table() -> None:
    """Their text stays as it was; a name for all others does not mean what makes a request."""
    body = (
        request()[:-1] + b',"temperature":1e0,"top_k" : 7,"speed":"fast","context_management":{"a":1.0},"top_p":null}'
    )
    takes = table(fields={"*": "drop", "temperature": "pass", "top_k": "-> sampling.k", "context_*": "pass"})

    got = body_of(body, takes=takes)

    assert got.body == request()[:-1] + b',"temperature":1e0,"context_management":{"a":1.0},"sampling":{"k":7}}'
    assert changes(got) == [("speed", "dropped")]


def test_fields_within_fields_go_by_their_path() -> None:
    """In objects, and in each object of a list."""
    tools = [
        {"name": "a", "input_schema": {"strict": 1}, "strict": True},
        {"name": "b", "input_schema": {}, "strict": None},
    ]
    body = request(
        output_config={"effort": "high", "new": 1, "old": None},
        context_management={"edits": {"x": 1, "y": 2}},
        tools=tools,
        odd=[1],
    )
    takes = table(
        fields={
            "output_config.effort": "drop",
            "context_management.edits.x": "drop",
            "tools.strict": "drop",
            "odd.a": "drop",
            "speed.a": "drop",
        }
    )

    got = body_of(body, takes=takes)

    expected = {
        "output_config": {"new": 1, "old": None},
        "context_management": {"edits": {"y": 2}},
        "tools": [{"name": "a", "input_schema": {"strict": 1}}, {"name": "b", "input_schema": {}}],
        "odd": [1],
    }
    assert from_json(got.body) == from_json(request(**expected))
    assert changes(got) == [
        ("tools.0.strict", "dropped"),
        ("output_config.effort", "dropped"),
        ("context_management.edits.x", "dropped"),
    ]


def test_a_field_may_have_any_name() -> None:
    """Also one that objects of ours have for something else."""
    got = body_of(request(copy={"json": 1}, dict=None), takes=table(fields={"copy.json": "drop", "dict": "drop"}))

    assert (from_json(got.body), changes(got)) == (from_json(request(copy={})), [("copy.json", "dropped")])


def test_nothing_within_a_dropped_field_is_looked_at() -> None:
    """It is gone."""
    takes = table(fields={"output_config": "drop", "output_config.effort": "refuse"})

    got = body_of(request(output_config={"effort": "high"}), takes=takes)

    assert (from_json(got.body), changes(got)) == (from_json(request()), [("output_config", "dropped")])


EFFORT = {"role": "system", "content": [], "output_config": {"effort": "high"}}


@pytest.mark.parametrize("features", [{}, {"system_turns": False}])
def test_members_of_turns_go_by_the_table(features: Mapping[str, Any]) -> None:
    """A turn of the system that says nothing else goes with them; others keep what they say."""
    user = {"role": "user", "content": "Hi"}
    late = {"role": "user", "content": "Go on", "clear_at": "never", "mood": "good"}
    takes = table(fields={"messages.output_config": "drop", "messages.clear_at": "drop"}, features=features)

    got = body_of(request(messages=[user, EFFORT, late]), takes=takes)

    assert from_json(got.body)["messages"] == [user, {"role": "user", "content": "Go on", "mood": "good"}]
    assert changes(got) == [("messages.1.output_config", "dropped"), ("messages.2.clear_at", "dropped")]


def test_a_system_turn_with_words_stays_without_its_effort() -> None:
    """And one with a member that passes."""
    turns = [{"role": "user", "content": "Hi"}, {**EFFORT, "content": "Be brief"}, {**EFFORT, "mood": "good"}]

    got = body_of(request(messages=turns), takes=table(fields={"messages.output_config": "drop"}))

    assert from_json(got.body)["messages"][1:] == [
        {"role": "system", "content": "Be brief"},
        {"role": "system", "content": [], "mood": "good"},
    ]


def test_a_prefill_before_a_turn_that_goes_is_still_a_prefill() -> None:
    """It is what the upstream sees last."""
    turns = [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "The "}, EFFORT]
    takes = table(fields={"messages.output_config": "drop"}, features={"prefill_space": False})

    got = body_of(request(messages=turns), takes=takes)

    assert from_json(got.body)["messages"][1:] == [{"role": "assistant", "content": "The"}]


def test_a_member_of_a_turn_that_is_refused_is_named() -> None:
    """With its place."""
    with pytest.raises(InvalidRequest) as caught:
        body_of(request(messages=[EFFORT]), takes=table(fields={"messages.output_config": "refuse"}))

    assert caught.value.param == "messages.0.output_config"


@pytest.mark.parametrize("action", ["drop", "refuse"])
@pytest.mark.parametrize("nothing", [None, [], {}, False])
def test_a_field_that_asks_for_nothing_is_left_out_without_a_word(action: str, nothing: object) -> None:
    """Nothing is lost with it; the upstream may refuse its very name."""
    got = body_of(request(mcp_servers=nothing), takes=table(fields={"mcp_servers": action}))

    assert ("mcp_servers" in from_json(got.body), changes(got)) == (False, [])


def test_a_field_that_is_refused_is_named() -> None:
    """With its whole path."""
    with pytest.raises(InvalidRequest) as caught:
        body_of(request(output_config={"effort": "high"}), takes=table(fields={"output_config.effort": "refuse"}))

    assert caught.value.param == "output_config.effort"


FORMAT = b'{"type":"json_schema","schema":{"minimum":1.0}}'


@pytest.mark.parametrize(
    ("config", "expected"),
    [
        (b"", b',"output_config":{"format":%b}' % FORMAT),
        (b',"output_config":null', b',"output_config":{"format":%b}' % FORMAT),
        (b',"output_config":{"effort":"low"}', b',"output_config":{"effort":"low","format":%b}' % FORMAT),
    ],
)
def test_the_older_name_of_a_format_is_rewritten(config: bytes, expected: bytes) -> None:
    """No adaptation: it means the same (C45)."""
    body = request()[:-1] + b',"output_format": %b%b}' % (FORMAT, config)

    got = body_of(body, takes=shipped("anthropic"))

    assert (got.body, got.adaptations) == (request()[:-1] + expected + b"}", ())


def test_the_older_name_passes_with_its_beta_or_where_the_table_says_so() -> None:
    """As it came."""
    body = request()[:-1] + b',"output_format": %b}' % FORMAT
    beta = "structured-outputs-2025-11-13"

    assert body_of(body, takes=shipped("anthropic"), betas=(beta,)) == NativeBody(body, (beta,), ())
    assert body_of(body, takes=table(fields={"speed": "drop"})) == NativeBody(body, (), ())


def test_a_format_under_both_names_is_the_newer_one() -> None:
    """The other is dropped, and that is told."""
    config = b',"output_config":{"format":%b}' % FORMAT
    body = request()[:-1] + b',"output_format": {"type":"x"}%b}' % config

    got = body_of(body, takes=shipped("anthropic"))

    assert (got.body, changes(got)) == (request()[:-1] + config + b"}", [("output_format", "dropped")])


def test_a_field_that_stands_elsewhere_in_the_body_is_not_moved() -> None:
    """The request has the format under its newer name, the body under the older one, which passes."""
    body = request()[:-1] + b',"output_format": %b}' % FORMAT

    assert body_of(body, takes=table(fields={"output_config.format": "-> format"})) == NativeBody(body, (), ())


def test_the_word_output_format_elsewhere_is_nothing() -> None:
    """In a schema, for instance."""
    body = request(metadata={"output_format": "x"})

    assert body_of(body, takes=shipped("anthropic")) == NativeBody(body, (), ())


def test_a_part_of_what_is_removed_cannot_be_moved() -> None:
    """The place that a field would move to is dropped itself."""
    body = request(top_k=7, sampling={"a": 1})
    takes = table(fields={"sampling": "drop", "top_k": "-> sampling.k"})

    got = body_of(body, takes=takes)

    assert (from_json(got.body), changes(got)) == (from_json(request()), [("sampling", "dropped")])


def test_adaptations_are_what_the_call_reports() -> None:
    """All of them, in the order of the request."""
    got = body_of(request(temperature=0.5), takes=shipped("anthropic"), cap=1)

    assert got.adaptations == (Adaptation("temperature", "dropped"), Adaptation("max_tokens", "1"))

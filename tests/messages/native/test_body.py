"""The body for a native upstream: the caller's bytes, but for the model's name, its cap, and betas."""

import pytest
from pydantic_core import from_json

from megallm.catalog.compatibility import shipped
from megallm.errors import InvalidRequest
from megallm.messages.calls import Adaptation, Call
from megallm.messages.native.body import NativeBody, native_body
from megallm.messages.requests import MessagesRequest, TokenCountRequest, parse

from .bodies import body_of, call_of, changes, request, table

ODD = (
    b' {"max_tokens" : 5,\t"model":"asked", "new_field":{"b":1.0, "a":1e2,"n":123456789012345678901234567890},\n'
    b'"messages":[{"role":"user","content":[{"type":"text","text":"\\u00fc \\/ \xc3\xbc"},'
    b'{"type":"hologram","depth":-0.0, "deep":[ ]}]}], "temperature":1.0}'
)


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


def test_adaptations_are_what_the_call_reports() -> None:
    """All of them, in the order of the request."""
    got = body_of(request(temperature=0.5), takes=shipped("anthropic"), cap=1)

    assert got.adaptations == (Adaptation("temperature", "dropped"), Adaptation("max_tokens", "1"))

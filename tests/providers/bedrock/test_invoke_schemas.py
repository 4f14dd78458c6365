"""Output that must follow a schema, for models of InvokeModel that are held to it or told in words (C24)."""

import pytest

from megallm.errors import InvalidRequest
from megallm.messages.calls import Adaptation
from megallm.providers.bedrock.invoke.wire import invoke_body, repair_body
from megallm.providers.judging import Fault

from .invoke_asking import FORMAT, PREFILL, SCHEMA, claude, sent


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

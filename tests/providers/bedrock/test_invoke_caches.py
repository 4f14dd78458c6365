"""What else of a body Bedrock does otherwise: caches, thinking of other routes, and what is counted."""

from pydantic_core import from_json

from megallm.catalog.compatibility import shipped
from megallm.messages.calls import Adaptation
from megallm.providers.bedrock.invoke.wire import count_body

from .asking import CALL_TURNS, SIGNER, counted
from .invoke_asking import claude, sent


def test_caches_lose_their_scope_and_nothing_else() -> None:
    """Wherever they stand, but in no tool's schema or input (C21); told once (C04)."""
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
    assert adaptations == (Adaptation("cache_control.scope", "dropped"),)
    assert sent(turns({**scoped, "scope": None}), **fields(plain)) == (body, ())


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

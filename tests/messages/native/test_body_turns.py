"""Turns of a body: thinking that we signed (C15), and members of turns as the route's table takes them."""

from collections.abc import Mapping
from typing import Any

import pytest
from pydantic_core import from_json

from megallm.errors import InvalidRequest
from megallm.messages.signatures import Signer

from .bodies import body_of, changes, request, table


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

"""What a caller wrote reaches the upstream, or the response says what became of it (C04): lossless or loud."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, example, given, settings
from pydantic_core import to_json

from megallm.errors import InvalidRequest
from megallm.messages.caller_headers import CALLER_HEADERS
from megallm.messages.calls import Adaptation, Call
from megallm.messages.requests import MessagesRequest, parse
from megallm.providers.embedded.wire import to_wire
from tests.properties.markers import Marked, with_unknown_members, with_words, words_in
from tests.properties.strategies import requests
from tests.properties.upstreams import FAMILIES, KINDS, Bench

Json = Any  # a value of JSON

SOME = settings(
    deadline=None,
    max_examples=40,
    suppress_health_check=[HealthCheck.too_slow],
    phases=[Phase.explicit, Phase.reuse, Phase.generate, Phase.shrink],
)
# Objects that few generated requests have.
OF_MANY_PARTS: Json = {
    "model": "m",
    "max_tokens": 10,
    "metadata": {"user_id": "u"},
    "cache_control": {"type": "ephemeral"},
    "system": [{"type": "text", "text": "s", "cache_control": {"type": "ephemeral"}}],
    "tools": [{"name": "f", "input_schema": {"type": "object"}, "cache_control": {"type": "ephemeral"}}],
    "messages": [
        {"role": "user", "content": "Hello"},
        {
            "role": "assistant",
            "content": [{"type": "tool_use", "id": "t1", "name": "f", "input": {}, "caller": {"type": "direct"}}],
        },
        {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "t1", "content": "r"}]},
    ],
}
MARKS = pytest.mark.parametrize("mark", [with_words, with_unknown_members])


def unheard(words: Mapping[str, str], sent: str, adaptations: Iterable[Adaptation]) -> list[str]:
    """The places whose words are gone without a word about them."""
    told = [adaptation.field for adaptation in adaptations]
    return [
        path for word, path in words.items() if word not in sent and not any(_is_about(field, path) for field in told)
    ]


def _is_about(field: str, path: str) -> bool:
    """Whether one lies within the other. Caching is told once for all places where it is asked for."""
    if field == "cache_control" and "cache_control" in path.split("."):
        return True
    return f"{path}.".startswith(f"{field}.") or f"{field}.".startswith(f"{path}.")


@pytest.mark.parametrize("kinds", FAMILIES.values(), ids=FAMILIES)
@MARKS
@SOME
@given(payload=requests())
@example(payload=OF_MANY_PARTS)
def test_nothing_vanishes_in_silence(
    bench: Bench, kinds: Sequence[str], mark: Callable[[Json], Marked], payload: Json
) -> None:
    """Every text, title, description and argument, and every member that nobody knows yet, on its way upstream."""
    payload, words = mark(payload)
    body = to_json(payload)
    lost: dict[str, list[str]] = {}

    for kind in kinds:
        try:
            sent, adaptations = bench.send(kind, body)
        except InvalidRequest:
            continue
        lost[kind] = unheard(words, words_in(sent), adaptations)

    assert {kind: places for kind, places in lost.items() if places} == {}


@MARKS
@SOME
@given(payload=requests())
@example(payload=OF_MANY_PARTS)
def test_nothing_vanishes_on_the_way_to_the_embedded_model(mark: Callable[[Json], Marked], payload: Json) -> None:
    """Its prompt is text."""
    payload, words = mark(payload)
    body = to_json(payload)
    try:
        wire = to_wire(Call(parse(body, MessagesRequest), "embedded", body=body))
    except InvalidRequest:
        return

    prompt = "".join(piece.text for turn in wire.prompt.turns for piece in turn.pieces)

    assert unheard(words, prompt, wire.adaptations) == []


@pytest.mark.parametrize("name", CALLER_HEADERS)
@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind != "anthropic"])
def test_no_translation_loses_a_header_in_silence(bench: Bench, kind: str, name: str) -> None:
    """Whom a request is for is nothing that these upstreams can be told."""
    body = to_json({"model": kind, "max_tokens": 5, "messages": [{"role": "user", "content": "Hello"}]})

    adaptations = bench.prepare(kind, body, headers=[(name, "some_id")]).adaptations

    assert adaptations == (Adaptation(name, "dropped"),)


@pytest.mark.parametrize("name", CALLER_HEADERS)
def test_the_embedded_model_loses_no_header_in_silence(name: str) -> None:
    """It answers whoever asks."""
    body = to_json({"model": "m", "max_tokens": 5, "messages": [{"role": "user", "content": "Hello"}]})

    wire = to_wire(Call(parse(body, MessagesRequest), "embedded", body=body, headers=((name, "some_id"),)))

    assert wire.adaptations == (Adaptation(name, "dropped"),)

"""The catalogue that ships for AWS: every documented name, and what its Bedrock model is told."""

import re

import pytest
from pydantic_core import from_json

from megallm.catalog.file_format import load
from megallm.catalog.models import Catalog, Model
from megallm.messages.calls import Adaptation, Call
from megallm.messages.requests import MessagesRequest, parse
from megallm.providers.bedrock.invoke.wire import InvokeWire, invoke_body

from .asking import WEATHER, call_of

AWS = load("aws")
# Source: InvokeModelIdentifier of https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_InvokeModel.html
PROFILE = re.compile(r"(global|us)\.anthropic\.claude-[a-z0-9-]+(-v\d+(:\d+)?)?")
FEATURES = {
    "api": "invoke",
    "prefill": True,
    "prefill_space": False,
    "system_turns": True,
    "forced_tools": True,
    "temperature_or_top_p": True,
    "thinking_budgets": True,
}
# Models that still take thinking with a budget, and temperature, top_p and top_k.
# Source: https://docs.aws.amazon.com/bedrock/latest/userguide/claude-messages-adaptive-thinking.html
OLDER = re.compile(r"-4-[56]\b")


def names(catalog: Catalog) -> set[str]:
    """Every id and alias."""
    return {name for model in catalog.models for name in (model.id, *model.aliases)}


def sent(model: Model, content: object = "Hello", route: int = 0, **fields: object) -> InvokeWire:
    """What this model's Bedrock model is sent."""
    plain = call_of(content, table="bedrock", **fields)  # type: ignore[arg-type]  # fields of any type
    call = Call(
        parse(plain.body, MessagesRequest),
        model.routes[route].model,
        body=plain.body,
        takes=model.routes[route].takes,
        max_output_tokens=model.max_output_tokens,
    )
    return invoke_body(call)


def test_every_name_of_the_local_run_is_there() -> None:
    """But the embedded model's own."""
    assert names(AWS) == names(load("local")) - {"embedded"}


@pytest.mark.parametrize("model", AWS.models, ids=lambda model: model.id)
def test_a_model_is_answered_by_bedrock(model: Model) -> None:
    """By a profile of its, whose table states the features that the provider reads and no other."""
    for route in model.routes:
        assert route.provider == "bedrock"
        assert PROFILE.fullmatch(route.model), route.model
        assert {name: type(value) for name, value in route.takes.features.items()} == {
            name: type(value) for name, value in FEATURES.items()
        }
    assert len({route.model for route in model.routes}) == len(model.routes)
    assert model.prices is not None
    assert model.context_tokens is not None
    assert model.max_output_tokens is not None
    assert model.max_output_tokens < model.context_tokens


@pytest.mark.parametrize("model", AWS.models, ids=lambda model: model.id)
def test_what_our_documentation_prints_is_taken_from_every_model(model: Model) -> None:
    """Sampling, tools and prefills: perhaps adapted, never refused."""
    turns = [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "The answer is "}]

    for route in range(len(model.routes)):
        assert sent(model, turns, route, temperature=0.7, top_p=0.9, system="Be brief.", tools=[WEATHER]).body


@pytest.mark.parametrize("model", AWS.models, ids=lambda model: model.id)
def test_thinking_with_a_budget_is_adaptive_where_the_model_knows_no_other(model: Model) -> None:
    """Newer ones answer it with a 400; the change is told (C04)."""
    asked = {"type": "enabled", "budget_tokens": 1024}

    for at, route in enumerate(model.routes):
        wire = sent(model, route=at, thinking=asked, max_tokens=2048)

        told = [adaptation for adaptation in wire.adaptations if adaptation.field == "thinking"]
        if OLDER.search(route.model):
            assert (from_json(wire.body)["thinking"], told) == (asked, [])
        else:
            assert (from_json(wire.body)["thinking"], told) == (
                {"type": "adaptive"},
                [Adaptation("thinking", "adaptive")],
            )


@pytest.mark.parametrize(
    "name",
    [
        "claude-opus-4-1-20250805",
        "claude-3.5-sonnet",
        "claude-3.7-sonnet",
        "claude-sonnet-4",
        "claude-3-opus-20240229",
        "claude-3-sonnet-20240229",
        "claude-3-haiku-20240307",
    ],
)
def test_a_documented_model_has_its_window_and_its_temperature(name: str) -> None:
    """Though another one answers."""
    model = AWS.find(name)

    wire = sent(model, temperature=0.7, tools=[WEATHER], tool_choice={"type": "any"})

    assert (model.context_tokens, wire.adaptations) == (200_000, ())
    assert b'"temperature":0.7' in wire.body

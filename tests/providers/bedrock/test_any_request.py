"""Any valid request is translated, to what AWS's own model of the API takes, or refused by name (contract C04)."""

from collections.abc import Callable
from functools import cache
from typing import TypeVar

import pytest
from botocore.model import StructureShape
from botocore.session import Session
from botocore.validate import ParamValidator
from hypothesis import HealthCheck, given, reject, settings
from hypothesis import strategies as st
from pydantic_core import from_json, to_json

from megallm.catalog.compatibility import TakesTable, shipped
from megallm.errors import InvalidRequest
from megallm.messages.calls import Call
from megallm.messages.requests import MessagesRequest, TokenCountRequest, parse
from megallm.providers.bedrock import counting
from megallm.providers.bedrock.converse.rulings import Rulings
from megallm.providers.bedrock.converse.wire import prompt_to_wire, to_wire
from megallm.providers.bedrock.invoke.wire import count_body, invoke_body
from tests.requests_strategy import REQUESTS

from .asking import CLAUDE, NOVA

RequestT = TypeVar("RequestT", bound=TokenCountRequest)
ResultT = TypeVar("ResultT")

# What a route may say over its table; the names are the tables' own.
ACTIONS = st.sampled_from(["pass", "drop", "refuse"])
OVER = st.fixed_dictionaries(
    {},
    optional={
        "fields": st.dictionaries(
            st.sampled_from(
                [
                    "temperature",
                    "top_p",
                    "thinking",
                    "metadata",
                    "output_config.format",
                    "tool_choice.any",
                    "tools.strict",
                ]
            ),
            ACTIONS | st.just("-> a.b"),
            max_size=3,
        ),
        "blocks": st.dictionaries(
            st.sampled_from(["image", "image.url", "document.text", "search_result", "thinking", "*"]),
            ACTIONS,
            max_size=3,
        ),
        "features": st.dictionaries(
            st.sampled_from(["prefill", "system_turns", "native_signatures", "forced_tools", "temperature_or_top_p"]),
            st.booleans(),
        ),
    },
)
THOROUGH = settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.too_slow])


@cache
def shape(operation: str) -> StructureShape:
    """AWS's own model of a request."""
    found = Session().get_service_model("bedrock-runtime").operation_model(operation).input_shape
    assert isinstance(found, StructureShape)
    return found


def check(operation: str, request: dict[str, object]) -> None:
    """Raises AssertionError for what AWS would refuse by its model alone."""
    report = ParamValidator().validate({"modelId": NOVA, **request}, shape(operation))
    assert not report.has_errors(), report.generate_report()


def valid(body: dict[str, object], of: type[RequestT]) -> RequestT:
    """The request, if it is one: what validation refuses is not ours to translate."""
    try:
        return parse(to_json(body), of)
    except InvalidRequest:
        reject()


def unless_refused(translate: Callable[[], ResultT]) -> ResultT | None:
    """What comes of it; None where it is refused, by name."""
    try:
        return translate()
    except InvalidRequest as error:
        if not error.param:
            raise
        return None


def call(body: dict[str, object], table: str, over: dict[str, object]) -> Call[MessagesRequest]:
    """The request on a route."""
    text = to_json(body)
    takes = TakesTable.model_validate(over).takes().over(shipped(table))
    model = NOVA if table == "converse" else CLAUDE
    betas = ("context-management-2025-06-27", "unknown-2026-01-01")
    return Call(valid(body, MessagesRequest), model, betas, text, takes=takes, max_output_tokens=5)


def never(signature: str, thinking: str) -> bool:
    """No thinking is this route's own."""
    return False


@given(REQUESTS, OVER)
@THOROUGH
def test_for_converse(body: dict[str, object], over: dict[str, object]) -> None:
    """The whole request, and the input that is counted."""
    asked = call(body, "converse", over)

    wire = unless_refused(lambda: to_wire(asked, never))
    prompt = unless_refused(lambda: prompt_to_wire(asked, Rulings(asked.takes, asked.upstream_model), never))

    if wire is not None:
        check("Converse", from_json(wire.body))
    if prompt is not None:
        check("CountTokens", from_json(counting.converse_question(prompt.body)))


@given(REQUESTS, OVER)
@THOROUGH
def test_for_invoke(body: dict[str, object], over: dict[str, object]) -> None:
    """What goes out is our own format again, and can be counted."""
    asked = call(body, "bedrock", over)

    wire = unless_refused(lambda: invoke_body(asked))
    counted = unless_refused(lambda: count_body(asked))

    if wire is None or counted is None:
        return
    sent = from_json(wire.body)
    assert ("model" in sent, "stream" in sent, sent["anthropic_version"]) == (False, False, "bedrock-2023-05-31")
    again = parse(to_json({"model": "m", **sent}), MessagesRequest)
    assert again.max_tokens <= 5
    assert from_json(counted)["max_tokens"] == 1


@pytest.mark.parametrize(
    "request_", [{"messages": [{"role": "nobody"}]}, {"messages": [{"role": "user", "content": [{}]}], "x": 1}]
)
def test_the_check_by_awss_model_can_fail(request_: dict[str, object]) -> None:
    """Or it would prove nothing."""
    with pytest.raises(AssertionError):
        check("Converse", request_)

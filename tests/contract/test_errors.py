"""Our errors as each SDK raises them: the class, the documented fields, and whether it tries again."""

from collections.abc import Sequence

import pytest

from megallm.errors import (
    GatewayError,
    InternalError,
    InvalidRequest,
    NotFound,
    PermissionDenied,
    RateLimited,
    RequestTooLarge,
    UpstreamFailed,
    UpstreamOverloaded,
    UpstreamTimedOut,
)
from megallm.messages.calls import Call
from megallm.messages.requests import MessagesRequest
from tests.contract.clients import SdkError
from tests.contract.conftest import Connect, Serve
from tests.contract.samples import HELLO
from tests.contract.server import WatchedProvider
from tests.fakes import Step, text_reply

# The class in each generation: python-2.12, python-0.116, node-1.12, node-0.x.
CLASSES: list[tuple[GatewayError, Sequence[str]]] = [
    (InvalidRequest("no", param="messages.0.content"), ["BadRequestError"] * 4),
    (PermissionDenied("no"), ["PermissionDeniedError"] * 4),
    (NotFound("no"), ["NotFoundError"] * 4),
    (RequestTooLarge("no"), ["ContentTooLargeError", "RequestTooLargeError", "ContentTooLargeError", "APIError"]),
    (RateLimited("no", headers={"retry-after": "3"}), ["RateLimitError"] * 4),
    (UpstreamFailed("no"), ["InternalServerError"] * 4),
    (InternalError("no"), ["InternalServerError"] * 4),
    (
        UpstreamTimedOut("no"),
        ["GatewayTimeoutError", "InternalServerError", "GatewayTimeoutError", "InternalServerError"],
    ),
    (UpstreamOverloaded("no"), ["OverloadedError", "OverloadedError", "OverloadedError", "InternalServerError"]),
]
GENERATION_NAMES = ("python-2.12", "python-0.116", "node-1.12", "node-0.x")


@pytest.mark.parametrize(("failure", "classes"), CLASSES, ids=lambda value: getattr(type(value), "__name__", ""))
def test_an_error_is_raised_as_its_class(
    connect: Connect, serve: Serve, failure: GatewayError, classes: Sequence[str]
) -> None:
    """Section 7: status, type and message arrive, in the class that users catch."""
    sdk = connect(serve(WatchedProvider([failure])))

    with pytest.raises(SdkError) as raised:
        sdk.create(**HELLO)

    told = raised.value
    expected = classes[GENERATION_NAMES.index(sdk.driver.generation.name)]
    assert (told.name, told.status, told.type, told.message) == (expected, failure.status, failure.type, "no")
    assert "APIError" in told.classes


def test_the_request_id_of_the_header_stands_in_the_body(connect: Connect, serve: Serve) -> None:
    """C13: an error's body carries the same id, and the whole envelope is the union of the documented shapes."""
    sdk = connect(serve(WatchedProvider([InvalidRequest("max_tokens: too many", param="max_tokens")])))

    with pytest.raises(SdkError) as raised:
        sdk.create(**HELLO)

    told = raised.value
    assert told.request_id is not None
    assert told.request_id.startswith("req_")
    assert told.body == {
        "type": "error",
        "error": {"type": "invalid_request_error", "message": "max_tokens: too many", "param": "max_tokens"},
        "request_id": told.request_id,
    }


def test_a_crash_is_an_api_error_that_tells_nothing(connect: Connect, serve: Serve) -> None:
    """Section 7: what was not foreseen is a 500 with the envelope, without the exception's text."""
    sdk = connect(serve(WatchedProvider([RuntimeError("the inside of the gateway")])))

    with pytest.raises(SdkError) as raised:
        sdk.create(**HELLO)

    told = raised.value
    assert (told.name, told.status, told.type) == ("InternalServerError", 500, "api_error")
    assert "inside" not in str(told.body)


def test_a_missing_field_is_named(connect: Connect, serve: Serve) -> None:
    """Section 1: the printed example of an error: max_tokens is required."""
    sdk = connect(serve())

    with pytest.raises(SdkError) as raised:
        sdk.call("messages.create", model="claude-test", messages=HELLO["messages"], max_tokens=None)

    told = raised.value
    assert (told.name, told.status, told.body["error"]["param"]) == ("BadRequestError", 400, "max_tokens")


def test_an_unknown_model_is_not_found(connect: Connect, serve: Serve) -> None:
    """Section 7: as Anthropic answers a model that it does not know."""
    sdk = connect(serve())

    with pytest.raises(SdkError) as raised:
        sdk.create(**{**HELLO, "model": "gpt-nothing"})

    told = raised.value
    assert (told.name, told.type, told.message) == ("NotFoundError", "not_found_error", "model: gpt-nothing")


TOOL_USE = {"type": "tool_use", "id": "toolu_1", "name": "get_weather", "input": {}}
TOOL_RESULT = {"type": "tool_result", "tool_use_id": "toolu_2", "content": "sunny"}


@pytest.mark.parametrize(
    ("turns", "tool_id", "param"),
    [
        ([("assistant", [TOOL_USE]), ("user", "never mind")], "toolu_1", "messages.1.content"),
        ([("user", [TOOL_RESULT])], "toolu_2", "messages.1.content.0.tool_use_id"),
        ([("assistant", [TOOL_USE])], "toolu_1", "messages.1.content"),
    ],
    ids=["use-without-result", "result-without-use", "use-at-the-end"],
)
def test_tool_calls_and_results_must_pair(
    connect: Connect, serve: Serve, turns: list[tuple[str, object]], tool_id: str, param: str
) -> None:
    """C07: a 400 that names the id and the message index, before any upstream is called."""
    provider = WatchedProvider()
    messages = HELLO["messages"] + [{"role": role, "content": content} for role, content in turns]

    with pytest.raises(SdkError) as raised:
        connect(serve(provider)).create(**{**HELLO, "messages": messages})

    told = raised.value
    assert (told.status, told.body["error"]["param"], provider.calls) == (400, param, [])
    assert tool_id in told.message


RETRIED = [RateLimited("no", headers={"retry-after": "1"}), UpstreamFailed("no"), UpstreamOverloaded("no")]


@pytest.mark.parametrize("failure", RETRIED, ids=lambda failure: str(failure.status))
def test_the_sdk_tries_again_what_can_succeed_later(connect: Connect, serve: Serve, failure: GatewayError) -> None:
    """C34: 429 with its retry-after, 500 and 529 are repeated by the SDK, and the second try counts."""

    def fail_once(call: Call[MessagesRequest]) -> Sequence[Step]:
        return [failure] if len(provider.calls) == 1 else text_reply("at last")

    provider = WatchedProvider(fail_once)

    message = connect(serve(provider), max_retries=2).create(**HELLO)

    assert (message["content"][0]["text"], provider.played) == ("at last", 2)


HOPELESS = [InvalidRequest("no"), PermissionDenied("no"), NotFound("no"), RequestTooLarge("no")]


@pytest.mark.parametrize("failure", HOPELESS, ids=lambda failure: str(failure.status))
def test_the_sdk_gives_up_at_once_on_what_cannot_succeed(connect: Connect, serve: Serve, failure: GatewayError) -> None:
    """C34: what is the caller's fault is sent once."""
    provider = WatchedProvider([failure])

    with pytest.raises(SdkError):
        connect(serve(provider), max_retries=2).create(**HELLO)

    assert provider.played == 1

"""The other routes through each SDK: models, betas, and all that this gateway does not offer."""

import httpx
import pytest

from tests.contract.clients import SdkError
from tests.contract.conftest import Connect, Serve
from tests.contract.samples import HELLO
from tests.contract.server import WatchedProvider
from tests.fakes import KEY

MODELS = [
    {
        "type": "model",
        "id": "claude-test-2",
        "display_name": "Test 2",
        "created_at": "2026-05-01T00:00:00Z",
        "lifecycle": "active",
        "max_input_tokens": 200000,
        "max_tokens": 64000,
    },
    {
        "type": "model",
        "id": "claude-test-1",
        "display_name": "Test 1",
        "created_at": "1970-01-01T00:00:00Z",
        "lifecycle": "deprecated",
        "max_input_tokens": 200000,
        "max_tokens": 64000,
    },
]


def test_the_first_page_holds_all_models(connect: Connect, serve: Serve) -> None:
    """C41: the catalogue in the SDK's ModelInfo shape, the newest first."""
    models = connect(serve()).models()

    assert models == MODELS


def test_the_sdk_follows_the_pages(connect: Connect, serve: Serve) -> None:
    """C41: with one model a page, its cursor pagination finds them all."""
    models = connect(serve()).models(limit=1)

    assert models == MODELS


@pytest.mark.parametrize("name", ["claude-test-2", "claude-test"])
def test_a_model_is_found_by_id_and_by_alias(connect: Connect, serve: Serve, name: str) -> None:
    """C41: one model."""
    model = connect(serve()).model(name)

    assert model == MODELS[0]


def test_an_unknown_model_is_not_there(connect: Connect, serve: Serve) -> None:
    """C41: a 404 of the documented type."""
    with pytest.raises(SdkError) as raised:
        connect(serve()).model("claude-nothing")

    assert (raised.value.name, raised.value.type) == ("NotFoundError", "not_found_error")


def test_the_beta_resources_reach_the_same_routes(connect: Connect, serve: Serve) -> None:
    """C03: `?beta=true` and the flags that the SDK adds are accepted on every route."""
    provider = WatchedProvider()
    sdk = connect(serve(provider))

    sdk.call("beta.models.list")
    sdk.call("beta.models.retrieve", "claude-test")
    sdk.call("beta.messages.count_tokens", model="claude-test", messages=HELLO["messages"])
    sdk.call("beta.messages.create", **HELLO, betas=["one-2026-01-01"])

    assert [call.betas for call in provider.calls] == [("one-2026-01-01",)]


OTHER_CALLS: list[tuple[str, list[str]]] = [
    ("beta.files.list", []),
    ("beta.files.retrieve_metadata", ["file_1"]),
    ("beta.files.delete", ["file_1"]),
    ("beta.skills.list", []),
    ("beta.skills.retrieve", ["skill_1"]),
    ("beta.agents.list", []),
    ("beta.user_profiles.list", []),
]


@pytest.mark.parametrize(("path", "arguments"), OTHER_CALLS, ids=lambda value: str(value))
def test_what_is_not_offered_is_a_clean_404(connect: Connect, serve: Serve, path: str, arguments: list[str]) -> None:
    """C43: everything else that the SDKs can call is a not_found_error in the envelope."""
    sdk = connect(serve())

    with pytest.raises(SdkError) as raised:
        sdk.call(path, *arguments)

    told = raised.value
    assert (told.name, told.status, told.type) == ("NotFoundError", 404, "not_found_error")
    assert told.body["request_id"] == told.request_id


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("PUT", "/v1/messages"),
        ("GET", "/v1/messages"),
        ("HEAD", "/v1/messages"),
        ("DELETE", "/v1/messages/count_tokens"),
        ("POST", "/v1/models"),
        ("PATCH", "/v1/models/claude-test"),
        ("OPTIONS", "/v1/messages"),
        ("PROPFIND", "/v1/messages"),
    ],
)
def test_a_wrong_method_is_told_the_right_one(serve: Serve, method: str, path: str) -> None:
    """Section 7: 405 in the envelope, with Allow; never a body of the web framework's own."""
    response = httpx.request(method, serve().url + path, headers={"x-api-key": KEY}, timeout=60)

    assert (response.status_code, response.headers["x-should-retry"]) == (405, "false")
    assert "allow" in response.headers
    if method != "HEAD":
        assert response.json() == {
            "type": "error",
            "error": {"type": "invalid_request_error", "message": "This path does not take this method"},
            "request_id": response.headers["request-id"],
        }


@pytest.mark.parametrize(
    "path",
    ["/v1/messages/", "/v2/messages", "/v1/message", "//v1/messages", "/v1/messages%00", "/.env", "/v1/messages/x/y"],
)
def test_an_unknown_path_is_a_clean_404(serve: Serve, path: str) -> None:
    """Section 7: in the envelope, without a redirect."""
    response = httpx.post(serve().url + path, headers={"x-api-key": KEY}, json=HELLO, timeout=60)

    assert (response.status_code, response.headers["x-should-retry"]) == (404, "false")
    assert response.json() == {
        "type": "error",
        "error": {"type": "not_found_error", "message": "There is nothing at this path"},
        "request_id": response.headers["request-id"],
    }


def test_the_routes_without_a_key_answer_with_a_request_id(serve: Serve) -> None:
    """C13: also where nothing is asked of a model."""
    server = serve()

    answers = [httpx.get(server.url + path, timeout=60) for path in ("/", "/health", "/openapi.json", "/docs")]

    assert [(answer.status_code, answer.headers["request-id"][:4]) for answer in answers] == [(200, "req_")] * 4

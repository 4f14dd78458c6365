"""The app under Mangum, driven with the events of API Gateway's REST and HTTP APIs."""

import json
from collections.abc import Callable, Mapping
from types import SimpleNamespace
from typing import Any

import pytest

from functions.api.app import create_app
from functions.api.entry import LambdaEntry
from megallm.errors import RateLimited, UpstreamFailed
from megallm.settings import Settings
from megallm.telemetry import fields_of
from tests.fakes import KEY, Pause, ScriptedProvider, Step, gateway, text_reply
from tests.functions.api.gateway_events import KINDS, Json, Kind, body_of, event

HELLO = {"model": "claude-test", "max_tokens": 100, "messages": [{"role": "user", "content": "Grüß Gott 👋"}]}
CONTEXT = SimpleNamespace(aws_request_id="77375676-xmpl-4b79-853a-f982474efe18", function_name="megallm-api")

Invoke = Callable[[Json], Json]


@pytest.fixture(params=KINDS)
def kind(request: pytest.FixtureRequest) -> Kind:
    """Either kind of API."""
    chosen: Kind = request.param
    return chosen


def lambda_of(provider: ScriptedProvider | None = None, settings: Settings | None = None) -> Invoke:
    """The function as ``handler.py`` makes it, over the fakes."""
    handler = LambdaEntry(create_app(gateway(provider, settings=settings)))
    return lambda happening: handler(happening, CONTEXT)


def hello(kind: Kind, *, key: str | None = KEY, in_base64: bool = False, **fields: Any) -> Json:  # Any: JSON
    body = json.dumps({**HELLO, **fields}, ensure_ascii=False).encode()
    return event(kind, body=body, headers={"x-api-key": key}, in_base64=in_base64)


def error_of(answer: Json) -> tuple[int, Mapping[str, object]]:
    """Status and error, of an answer in the whole documented envelope."""
    envelope = json.loads(body_of(answer))
    assert set(envelope) == {"type", "error", "request_id"}
    assert answer["headers"]["content-type"] == "application/json"
    assert answer["headers"]["request-id"] == envelope["request_id"]
    error: Mapping[str, object] = envelope["error"]
    return answer["statusCode"], error


@pytest.mark.parametrize("in_base64", [False, True], ids=["text", "base64"])
def test_a_message_is_answered(kind: Kind, in_base64: bool) -> None:
    """Item 3: the same app under Mangum, whether API Gateway hands the body on as text or as base64."""
    provider = ScriptedProvider()

    answer = lambda_of(provider)(hello(kind, in_base64=in_base64))

    message = json.loads(body_of(answer))
    assert (answer["statusCode"], answer["headers"]["content-type"]) == (200, "application/json")
    assert answer["headers"]["request-id"].startswith("req_")
    assert message["content"] == [{"type": "text", "text": "Hello, world"}]
    assert provider.calls[0].request.messages[0].content == "Grüß Gott 👋"


def test_a_bearer_token_is_a_key_too(kind: Kind) -> None:
    """C01: the newer SDKs' header, whatever its case."""
    happening = hello(kind, key=None)
    for headers in (happening["headers"], happening.get("multiValueHeaders", {})):
        headers["AUTHORIZATION"] = f"Bearer {KEY}" if headers is happening["headers"] else [f"Bearer {KEY}"]

    assert lambda_of()(happening)["statusCode"] == 200


def test_a_stream_comes_whole_and_in_order(kind: Kind) -> None:
    """DESIGN: a buffered reply of server-sent events, as text, with every frame."""
    answer = lambda_of(ScriptedProvider(text_reply("Grüß", " Gott")))(hello(kind, stream=True))

    lines = body_of(answer).decode().split("\n")
    payloads = [json.loads(line.removeprefix("data: ")) for line in lines if line.startswith("data: ")]
    assert (answer["statusCode"], answer["isBase64Encoded"]) == (200, False)
    assert answer["headers"]["content-type"].startswith("text/event-stream")
    assert [payload["type"] for payload in payloads] == [
        "message_start",
        "content_block_start",
        "content_block_delta",
        "content_block_delta",
        "content_block_stop",
        "message_delta",
        "message_stop",
    ]
    assert payloads[2]["delta"]["text"] + payloads[3]["delta"]["text"] == "Grüß Gott"


def test_a_stream_that_fails_later_ends_in_an_error_event(kind: Kind) -> None:
    """C28: also where the reply is buffered."""
    script: list[Step] = [*text_reply("Hello")[:3], UpstreamFailed("the line broke")]

    answer = lambda_of(ScriptedProvider(script))(hello(kind, stream=True))

    last = body_of(answer).decode().rstrip("\n").split("\n\n")[-1]
    name, data = last.split("\n")
    envelope = json.loads(data.removeprefix("data: "))
    assert (answer["statusCode"], name) == (200, "event: error")
    assert envelope == {
        "type": "error",
        "error": {"type": "api_error", "message": "the line broke"},
        "request_id": answer["headers"]["request-id"],
    }


def test_an_upstreams_refusal_keeps_its_status_and_headers(kind: Kind) -> None:
    """C32, C34: retry-after reaches the client through API Gateway."""
    refusal = RateLimited("slow down", headers={"Retry-After": "7"})

    answer = lambda_of(ScriptedProvider([refusal]))(hello(kind, stream=True))

    assert error_of(answer) == (429, {"type": "rate_limit_error", "message": "slow down"})
    assert answer["headers"]["retry-after"] == "7"


def test_a_crash_is_a_500_in_the_envelope(kind: Kind) -> None:
    """Section 7: the function itself does not fail."""
    status, error = error_of(lambda_of(ScriptedProvider([RuntimeError("inside")]))(hello(kind)))

    assert (status, error["type"]) == (500, "api_error")
    assert "inside" not in str(error)


@pytest.mark.parametrize("body", [None, b"", b"[]", b'{"model": ', b"null"], ids=str)
def test_a_body_that_is_no_request_is_a_400(kind: Kind, body: bytes | None) -> None:
    """C08: an absent one included."""
    status, error = error_of(lambda_of()(event(kind, body=body, headers={"x-api-key": KEY})))

    assert (status, error["type"]) == (400, "invalid_request_error")


def test_bytes_that_are_not_utf_8_are_a_400(kind: Kind) -> None:
    """C08: as base64 they reach the app as they are."""
    happening = event(kind, body=b'{"model": "\xff"}', headers={"x-api-key": KEY}, in_base64=True)

    status, error = error_of(lambda_of()(happening))

    assert (status, error["type"]) == (400, "invalid_request_error")


def test_a_body_over_the_limit_is_a_413(kind: Kind) -> None:
    """C09: the limit is the deployment's setting."""
    happening = hello(kind, system="x" * 2000)

    status, error = error_of(lambda_of(settings=Settings(max_body_bytes=1024))(happening))

    assert (status, error["type"]) == (413, "request_too_large")


@pytest.mark.parametrize(
    ("method", "path", "status", "error_type"),
    [
        ("POST", "/v1/nothing", 404, "not_found_error"),
        ("GET", "/v1/files", 404, "not_found_error"),
        ("POST", "/", 405, "invalid_request_error"),
        ("GET", "/v1/messages", 405, "invalid_request_error"),
        ("GET", "/v1/models/claude-nothing", 404, "not_found_error"),
    ],
)
def test_what_is_not_there_is_told_in_the_envelope(
    kind: Kind, method: str, path: str, status: int, error_type: str
) -> None:
    """C43: unknown routes and wrong methods."""
    answer = lambda_of()(event(kind, method, path, headers={"x-api-key": KEY}))

    told, error = error_of(answer)
    assert (told, error["type"]) == (status, error_type)


def test_a_query_reaches_the_app(kind: Kind) -> None:
    """C41: the cursor and the limit, which REST APIs hand on already parsed."""
    happening = event(kind, "GET", "/v1/models", headers={"x-api-key": KEY}, query="limit=1&after_id=claude-test-2")

    answer = lambda_of()(happening)

    page = json.loads(body_of(answer))
    assert [model["id"] for model in page["data"]] == ["claude-test-1"]


def test_a_repeated_query_parameter_keeps_its_values(kind: Kind) -> None:
    """C41: the lifecycle filter is a list."""
    query = "lifecycle=active&lifecycle=deprecated"

    answer = lambda_of()(event(kind, "GET", "/v1/models", headers={"x-api-key": KEY}, query=query))

    assert len(json.loads(body_of(answer))["data"]) == 2


def test_repeated_headers_are_taken_together() -> None:
    """C03: a REST API tells them in multiValueHeaders alone, its single headers hold the last."""
    provider = ScriptedProvider()
    happening = hello("rest_v1")
    happening["headers"]["anthropic-beta"] = "two-2026-01-01"
    happening["multiValueHeaders"]["anthropic-beta"] = ["one-2026-01-01", "two-2026-01-01"]

    lambda_of(provider)(happening)

    assert provider.calls[0].betas == ("one-2026-01-01", "two-2026-01-01")


def test_an_event_without_single_headers_is_understood() -> None:
    """A REST API whose caller sent none tells null; the test console of AWS does too."""
    happening = hello("rest_v1")
    happening["headers"] = None

    assert lambda_of()(happening)["statusCode"] == 200


def test_without_a_content_type_the_body_is_taken_for_json(kind: Kind) -> None:
    """C08: absent is not wrong."""
    happening = event(kind, body=json.dumps(HELLO).encode(), headers={"x-api-key": KEY, "content-type": None})

    assert lambda_of()(happening)["statusCode"] == 200


LOOPBACK = ["localhost:4141", "127.0.0.1:4141", "localhost"]


@pytest.mark.parametrize("host", LOOPBACK)
def test_nobody_is_anonymous_there(kind: Kind, host: str) -> None:
    """Section 1: neither a loopback Host nor a loopback source opens a deployed function."""
    happening = event(
        kind,
        body=json.dumps(HELLO).encode(),
        headers={"host": host, "x-api-key": None, "x-forwarded-for": None},
        source_ip="127.0.0.1",
    )

    status, error = error_of(lambda_of()(happening))

    assert (status, error["type"]) == (401, "authentication_error")


def test_each_invocation_has_a_request_id_of_its_own(kind: Kind) -> None:
    """C13: one process answers many."""
    invoke = lambda_of()

    ids = {invoke(hello(kind))["headers"]["request-id"] for _ in range(3)}

    assert len(ids) == 3


@pytest.mark.parametrize(
    "spoil",
    [
        lambda happening: {**happening, "body": '{"model": "\ud800"}'},
        lambda happening: {"headers": None},
        lambda happening: {},
    ],
)
def test_an_event_that_mangum_cannot_read_is_refused_in_the_documented_shape(
    kind: Kind, spoil: Callable[[Json], Json], caplog: pytest.LogCaptureFixture
) -> None:
    """C08: never Lambda's own error; the log has the reason under the same request id."""
    answer = lambda_of()(spoil(hello(kind)))

    assert error_of(answer) == (
        400,
        {"type": "invalid_request_error", "message": "The gateway could not read this request"},
    )
    (record,) = [record for record in caplog.records if record.name == "megallm"]
    assert fields_of(record) == {"request_id": answer["headers"]["request-id"]}


def test_a_call_ends_before_the_function_does(kind: Kind) -> None:
    """A second is left to tell the client, settle and log: a function that is cut off says nothing."""
    provider = ScriptedProvider([Pause()])
    handler = LambdaEntry(create_app(gateway(provider)))
    context = SimpleNamespace(**vars(CONTEXT), get_remaining_time_in_millis=lambda: 1100)

    status, error = error_of(handler(hello(kind), context))

    assert (status, error["type"]) == (504, "timeout_error")
    assert provider.cancelled == 1

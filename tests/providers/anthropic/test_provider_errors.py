"""What the upstream refuses: whose fault it is, what the caller is told, and what never reaches it (C32, C33)."""

from collections.abc import Awaitable, Callable

import pytest
from pydantic_core import to_json

from megallm.errors import (
    GatewayError,
    InvalidRequest,
    NotFound,
    RateLimited,
    RequestTooLarge,
    UpstreamFailed,
    UpstreamMisconfigured,
    UpstreamOverloaded,
    UpstreamTimedOut,
)
from megallm.providers.anthropic.provider import AnthropicProvider
from tests.providers.raw_server import Script, answer

from .talking import START, Keys, answering, created, events_of, failing, run, sse

Use = Callable[[AnthropicProvider], Awaitable[object]]


SAID: dict[str, object] = {
    "type": "error",
    "error": {
        "type": "invalid_request_error",
        "message": "Basic house/secret and house/secret are on",
        "details": {"error_code": "odd", "seen": ["house/secret"]},
    },
}


LIMITED = "The model's provider is limiting requests; send it again later"  # its own text names the account


def error(kind: str, message: str = "Because.") -> dict[str, object]:
    return {"type": "error", "error": {"type": kind, "message": message}}


@pytest.mark.parametrize(
    ("status", "body", "expected", "message"),
    [
        ("400 Bad Request", error("invalid_request_error"), InvalidRequest, "Because."),
        ("413 Too Large", error("request_too_large"), RequestTooLarge, "Because."),
        ("413 Too Large", b"<html>", RequestTooLarge, "The model's provider refused the request"),
        ("429 Slow Down", error("rate_limit_error"), RateLimited, LIMITED),
        ("429 Slow Down", b"<html>", RateLimited, LIMITED),
        ("401 Who", error("authentication_error"), UpstreamMisconfigured, None),
        ("403 No", error("invalid_request_error"), UpstreamMisconfigured, None),
        ("402 Pay", error("billing_error"), UpstreamMisconfigured, None),
        ("404 Where", error("not_found_error", "model: up"), UpstreamMisconfigured, None),
        ("404 Where", error("not_found_error", "File not found: file_0123"), NotFound, "File not found: file_0123"),
        ("404 Where", b"<html>", UpstreamMisconfigured, None),
        ("302 Elsewhere", b"", UpstreamMisconfigured, None),
        ("500 Oops", error("api_error"), UpstreamFailed, None),
        ("500 Oops", error("overloaded_error"), UpstreamOverloaded, None),
        ("502 Oops", b"<html>", UpstreamFailed, None),
        ("503 Busy", {"error": {"type": "unavailable_error", "message": "Loading"}}, UpstreamOverloaded, None),
        ("504 Late", b"", UpstreamTimedOut, None),
        ("529 Busy", error("overloaded_error"), UpstreamOverloaded, None),
        ("400 Bad Request", b"<html>", UpstreamFailed, None),
        ("422 Odd", b'{"detail":"x"}', UpstreamFailed, None),
        ("422 Odd", {"error": {"message": "Because."}}, InvalidRequest, "Because."),
        ("200 OK", b"<html>", UpstreamFailed, None),
        ("200 OK", error("overloaded_error"), UpstreamOverloaded, None),
        ("204 Nothing", b"", UpstreamFailed, None),
    ],
)
def test_each_refusal_is_what_the_contract_makes_of_it(
    status: str, body: bytes | dict[str, object], expected: type[GatewayError], message: str | None
) -> None:
    """C32, for whole replies and for streams; the text reaches the caller only where it is the caller's business."""

    async def use(provider: AnthropicProvider) -> list[GatewayError]:
        errors = []
        for ask in (created, events_of):
            with pytest.raises(GatewayError) as caught:
                await ask(provider)
            errors.append(caught.value)
        return errors

    errors, _ = run(failing(status, body), use, key=Keys("key"))

    whole, streamed = errors
    assert type(whole) is expected
    assert "Because." not in whole.message or message is not None
    assert message in (None, whole.message)
    if not status.startswith("200"):
        assert (type(streamed), streamed.message) == (expected, whole.message)


def test_a_limit_of_the_upstream_says_when_to_come_back() -> None:
    """Its rate headers are kept, on a 429 and on a 529."""
    rates = {"retry_after": "7", "anthropic_ratelimit_requests_remaining": "0", "x_secret": "s"}
    kept = {"retry-after": "7", "anthropic-ratelimit-requests-remaining": "0"}

    for status, kind in (("429 Slow Down", "rate_limit_error"), ("529 Busy", "overloaded_error")):
        with pytest.raises(GatewayError) as caught:
            run(failing(status, error(kind), **rates), created)
        assert caught.value.headers == kept


def test_the_text_for_a_prompt_that_is_too_long_passes_as_it_is() -> None:
    """Clients look for it (C33)."""
    text = "prompt is too long: 200001 tokens > 200000 maximum"

    with pytest.raises(InvalidRequest) as caught:
        run(failing("400 Bad Request", error("invalid_request_error", text)), created)

    assert caught.value.message == text


def test_a_code_of_the_callers_error_is_kept() -> None:
    """SDKs choose their exception class by it."""
    details = {"error_code": "tool_name_conflict"}
    body: dict[str, object] = {"error": {"type": "invalid_request_error", "message": "x", "details": details}}

    with pytest.raises(InvalidRequest) as caught:
        run(failing("400 Bad Request", body), created)

    assert caught.value.details == details


def test_a_key_that_the_server_repeats_does_not_reach_the_caller() -> None:
    """Not even in the text of a bad request."""
    body = error("invalid_request_error", "the header x-api-key: secret123 is odd")

    with pytest.raises(InvalidRequest) as caught:
        run(failing("400 Bad Request", body), created, key=Keys("secret123"))

    assert caught.value.message == "the header x-api-key: *** is odd"


@pytest.mark.parametrize(
    ("script", "use"),
    [
        (failing("400 Bad Request", SAID), created),
        (answering(answer(to_json(SAID).replace(b"/", b"\\/"))), created),
        (answering(sse(b"event: error\ndata: %b\n\n" % to_json(SAID))), events_of),
        (answering(sse(START + b"data: %b\n\n" % to_json(SAID))), events_of),
    ],
    ids=["status", "whole", "stream", "later in a stream"],
)
def test_nor_does_what_the_operator_wrote_into_its_headers(script: Script, use: Use) -> None:
    """A key of a proxy between us and the model, say; whichever way the error comes."""
    with pytest.raises(InvalidRequest) as caught:
        run(script, use, headers={"X-Proxy-Auth": "Basic house/secret", "X-Flag": "on"})

    assert caught.value.message == "*** and *** are on"
    assert caught.value.details == {"error_code": "odd", "seen": ["***"]}

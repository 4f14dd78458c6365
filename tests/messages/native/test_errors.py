"""Error objects of native upstreams: whose fault they are, and what the caller is told."""

import pytest

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
from megallm.messages.events import JsonObject
from megallm.messages.native.errors import native_error

SECRET = "the upstream's own words"


def error(kind: str, message: object = SECRET, **more: object) -> GatewayError:
    return native_error({"type": "error", "error": {"type": kind, "message": message, **more}})


@pytest.mark.parametrize(
    ("kind", "expected", "repeated"),
    [
        ("invalid_request_error", InvalidRequest, True),
        ("request_too_large", RequestTooLarge, True),
        ("rate_limit_error", RateLimited, True),
        ("authentication_error", UpstreamMisconfigured, False),
        ("permission_error", UpstreamMisconfigured, False),
        ("billing_error", UpstreamMisconfigured, False),
        ("not_found_error", UpstreamMisconfigured, False),
        ("overloaded_error", UpstreamOverloaded, False),
        ("unavailable_error", UpstreamOverloaded, False),
        ("timeout_error", UpstreamTimedOut, False),
        ("api_error", UpstreamFailed, False),
        ("server_error", UpstreamFailed, False),
        ("something_new", UpstreamFailed, False),
    ],
)
def test_the_type_tells_whose_fault_it_is(kind: str, expected: type[GatewayError], repeated: bool) -> None:
    """Only the caller's own errors repeat the upstream's text (C32)."""
    got = error(kind)

    assert (type(got), SECRET in got.message) == (expected, repeated)


@pytest.mark.parametrize("kind", ["invalid_request_error", "request_too_large", "rate_limit_error"])
def test_an_error_without_words_has_ours(kind: str) -> None:
    """A message is never empty."""
    assert error(kind, None).message


def test_the_field_at_fault_is_named() -> None:
    """Where the upstream's text begins with its path, and it is one of a request."""
    assert error("invalid_request_error", "messages.1.content.0.text: too short").param == "messages.1.content.0.text"
    assert error("invalid_request_error", "Hint: look here").param is None
    assert error("invalid_request_error", "prompt is too long: 5 tokens > 4 maximum").param is None


def test_a_code_of_the_callers_errors_is_kept() -> None:
    """SDKs choose their exception class by it."""
    details = {"error_code": "image_dimensions_too_large", "limit": 8000}

    assert error("invalid_request_error", details=details).details == details
    assert error("invalid_request_error", details={"limit": 8000}).details is None
    assert error("rate_limit_error", details="x").details is None


@pytest.mark.parametrize(
    ("message", "details"),
    [
        ("Your credit balance is too low to access the Anthropic API.", None),
        ("You have reached your specified API usage limits.", None),
        ("x", {"error_code": "organization_on_hold"}),
    ],
)
def test_trouble_of_the_operators_account_is_not_the_callers(message: str, details: object) -> None:
    """Though the upstream calls it a bad request."""
    got = error("invalid_request_error", message, details=details)

    assert (type(got), message in got.message) == (UpstreamMisconfigured, False)


@pytest.mark.parametrize(
    ("message", "details"),
    [
        ("File not found: file_011CNha8iCJcU1wXNR6q4V8w", None),
        ("gone", {"error_code": "thread_not_found"}),
    ],
)
def test_a_thing_that_the_request_named_and_nobody_has_is_a_404(message: str, details: object) -> None:
    """Another than the model, which the operator named."""
    got = error("not_found_error", message, details=details)

    assert (type(got), got.message, got.details) == (NotFound, message, details)


def test_overflow_of_llama_cpp_is_told_in_anthropics_words() -> None:
    """C33, with the figures where they are told."""
    with_figures = error("exceed_context_size_error", "too big", n_prompt_tokens=5, n_ctx=4)
    without = error("exceed_context_size_error", "too big")

    assert (with_figures.status, with_figures.message) == (400, "prompt is too long: 5 tokens > 4 maximum")
    assert without.message == "prompt is too long: too big"


def test_a_server_that_cannot_see_says_so() -> None:
    """llama.cpp calls that a server error."""
    got = error("server_error", "image input is not supported - hint")

    assert (type(got), got.param) == (InvalidRequest, "messages")


def test_a_long_text_is_cut() -> None:
    """It may hold half the request."""
    assert len(error("invalid_request_error", "x" * 10_000).message) < 2_100


def hidden(payload: JsonObject) -> JsonObject:
    """As if an operator's header had these words for its value."""
    error = payload["error"]
    assert isinstance(error, dict)
    message = error["message"]
    for word in ("maximum", "credit", "metadata", "file_0"):
        message = message.replace(word, "***")
    return {"error": {**error, "message": message}}


@pytest.mark.parametrize(
    ("kind", "message", "expected", "told", "param"),
    [
        (
            "invalid_request_error",
            "prompt is too long: 9000 tokens > 8000 maximum",
            InvalidRequest,
            "prompt is too long: 9000 tokens > 8000 maximum",
            None,
        ),
        ("invalid_request_error", "at the maximum", InvalidRequest, "at the ***", None),
        ("invalid_request_error", "Your credit balance is too low", UpstreamMisconfigured, None, None),
        ("invalid_request_error", "metadata.user_id: odd", InvalidRequest, "***.user_id: odd", None),
        ("invalid_request_error", "tools.0: at the maximum", InvalidRequest, "tools.0: at the ***", "tools.0"),
        ("not_found_error", "File not found: file_0123456789", NotFound, "File not found: ***123456789", None),
    ],
)
def test_what_must_not_be_told_does_not_change_what_an_error_means(
    kind: str, message: str, expected: type, told: str | None, param: str | None
) -> None:
    """It is seen in the upstream's own words; those that clients look for hold no secret."""
    got = native_error({"error": {"type": kind, "message": message}}, hidden)

    assert (type(got), got.param) == (expected, param)
    assert told is None or got.message == told

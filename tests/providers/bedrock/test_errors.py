"""What Bedrock refuses with, and what the caller is told of it."""

import pytest
from pydantic_core import to_json

from megallm.errors import (
    GatewayError,
    InvalidRequest,
    RateLimited,
    RequestTooLarge,
    UpstreamFailed,
    UpstreamMisconfigured,
    UpstreamOverloaded,
    UpstreamTimedOut,
)
from megallm.providers.bedrock.errors import CountingUnknown, CredentialsRefused, InputTooLong, http_error, stream_error

ACCOUNT = "arn:aws:bedrock:us-east-1:123456789012:inference-profile/x"


def refused(name: str, status: int, message: str = "What the upstream says.", **headers: str) -> GatewayError:
    """The error for a response with this name."""
    told = {"x-amzn-errortype": f"{name}:http://internal.amazon.invalid/coral/", **headers}
    return http_error(status, told, to_json({"message": message}))


@pytest.mark.parametrize(
    ("name", "status", "kind"),
    [
        ("ThrottlingException", 429, RateLimited),
        ("ServiceQuotaExceededException", 400, RateLimited),
        ("ValidationException", 400, InvalidRequest),
        ("ModelTimeoutException", 408, UpstreamTimedOut),
        ("ServiceUnavailableException", 503, UpstreamOverloaded),
        ("ModelNotReadyException", 429, UpstreamOverloaded),
        ("InternalServerException", 500, UpstreamFailed),
        ("ModelErrorException", 424, UpstreamFailed),
        ("AccessDeniedException", 403, UpstreamMisconfigured),
        ("ResourceNotFoundException", 404, UpstreamMisconfigured),
        ("UnrecognizedClientException", 403, CredentialsRefused),
        ("ExpiredTokenException", 403, CredentialsRefused),
        ("InvalidSignatureException", 403, UpstreamMisconfigured),
        ("", 413, RequestTooLarge),
        ("", 502, UpstreamFailed),
        ("", 504, UpstreamTimedOut),
        ("", 302, UpstreamMisconfigured),
    ],
)
def test_a_response_by_its_name_else_by_its_status(name: str, status: int, kind: type[GatewayError]) -> None:
    """Both spellings of the name."""
    by_header = refused(name, status)
    by_body = http_error(status, {}, to_json({"__type": f"com.amazon.coral#{name}", "message": "What it says."}))

    assert (type(by_header), type(by_body)) == (kind, kind)
    assert (by_header.upstream_status, by_body.upstream_status) == (status, status)


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("throttlingException", RateLimited),
        ("validationException", InvalidRequest),
        ("modelStreamErrorException", UpstreamFailed),
        ("internalServerException", UpstreamFailed),
        ("serviceUnavailableException", UpstreamOverloaded),
        ("modelTimeoutException", UpstreamTimedOut),
        ("modelNotReadyException", UpstreamOverloaded),
        ("somethingNew", UpstreamFailed),
    ],
)
def test_an_exception_in_a_stream_by_its_name(name: str, kind: type[GatewayError]) -> None:
    """It begins with a small letter there."""
    assert type(stream_error(name, to_json({"message": "What it says."}))) is kind


@pytest.mark.parametrize("payload", [b"", b"<html>", b"[]", b'{"message": 7}'])
def test_a_body_that_says_nothing_is_survived(payload: bytes) -> None:
    """Load balancers send others."""
    assert http_error(400, {}, payload).message == "The model's provider refused the request"
    assert type(stream_error("", payload)) is UpstreamFailed


def test_a_throttled_call_says_when_to_come_back_and_nothing_of_the_account() -> None:
    """Whose quota it is is the operator's business (C32)."""
    error = refused("ThrottlingException", 429, "Too many tokens per day for account 1234", **{"retry-after": "7"})

    assert (error.message, error.headers, error.retryable) == (
        "The model's provider is at its limit; try again later",
        {"retry-after": "7"},
        True,
    )


@pytest.mark.parametrize(
    "message",
    [
        "The provided model identifier is invalid.",
        "Invocation of model ID anthropic.x with on-demand throughput isn't supported. Retry your request with the ID "
        "or ARN of an inference profile that contains this model.",
        "Operation not allowed",
        f"You may not use {ACCOUNT}",
        "This action doesn't support the model that you provided. Try again with a supported text or chat model.",
        "Access to Anthropic models is not allowed from unsupported countries",
    ],
)
def test_what_the_operator_has_to_mend_is_not_the_callers_fault(message: str) -> None:
    """Nor does the caller read of it."""
    error = refused("ValidationException", 400, message)

    assert (type(error), error.message) == (
        UpstreamMisconfigured,
        "The gateway is not set up right for this model's provider",
    )


@pytest.mark.parametrize(
    ("message", "told", "param"),
    [
        ("temperature: must not exceed 1", "temperature: must not exceed 1", "temperature"),
        (
            "The model returned the following errors: messages.0.content.0.type: Field required",
            "messages.0.content.0.type: Field required",
            "messages.0.content.0.type",
        ),
        (
            'The model returned the following errors: {"type":"error","error":{"type":"invalid_request_error",'
            '"message":"temperature is deprecated for this model."}}',
            "temperature is deprecated for this model.",
            None,
        ),
        ('{"type":"error"}', "The model's provider refused the request", None),
        (
            "The model returned the following errors: prompt is too long: 200049 tokens > 200000 maximum",
            "prompt is too long: 200049 tokens > 200000 maximum",
            "messages",
        ),
    ],
)
def test_the_callers_faults_are_told(message: str, told: str, param: str | None) -> None:
    """Without Bedrock's words in front."""
    error = refused("ValidationException", 400, message)

    assert (type(error), error.message, error.param) == (InvalidRequest, told, param)


@pytest.mark.parametrize(
    "message",
    [
        "Input is too long for requested model.",
        "The model returned the following errors: Input is too long for requested model.",
        "Input Tokens Exceeded: Number of input tokens exceeds maximum length. Please update the input to try again.",
        "This model's maximum context length is 131072 tokens. Please reduce the length of the messages.",
        "prompt is too long",
    ],
)
def test_an_overflow_without_numbers_is_known_as_one(message: str) -> None:
    """The provider adds the numbers that clients look for (C33)."""
    error = refused("ValidationException", 400, message)

    assert type(error) is InputTooLong
    assert error.message.startswith("prompt is too long")


def test_a_model_that_cannot_be_counted_is_known_as_such() -> None:
    """Not an error for the caller."""
    assert (
        type(refused("ValidationException", 400, "The provided model doesn't support counting tokens."))
        is CountingUnknown
    )


@pytest.mark.parametrize(
    ("payload", "kind"),
    [
        ({"originalStatusCode": 400, "originalMessage": "max_tokens: too large"}, InvalidRequest),
        ({"originalStatusCode": 400}, InvalidRequest),
        ({"originalStatusCode": 429}, RateLimited),
        ({"originalStatusCode": 503}, UpstreamOverloaded),
        ({"originalStatusCode": 200}, UpstreamFailed),
        ({"originalStatusCode": "x"}, UpstreamFailed),
    ],
)
def test_an_error_of_the_models_own_server_goes_by_its_own_status(
    payload: dict[str, object], kind: type[GatewayError]
) -> None:
    """Bedrock hands it on."""
    assert type(stream_error("modelStreamErrorException", to_json(payload))) is kind

"""What Bedrock refuses with, as errors of our tree: by the exception's name, the same in a response and in a stream.

Sources: https://docs.aws.amazon.com/bedrock/latest/userguide/troubleshooting-api-error-codes.html and the errors that
https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_InvokeModel.html lists.
"""

import re
from collections.abc import Awaitable, Callable, Mapping

from pydantic_core import from_json

from megallm.errors import (
    GatewayError,
    InvalidRequest,
    RateLimited,
    UpstreamFailed,
    UpstreamMisconfigured,
    UpstreamOverloaded,
    UpstreamTimedOut,
)
from megallm.messages.native.errors import native_error
from megallm.providers.refusals import refusal

_REFUSED = "The model's provider refused the request"
_PREFIX = "The model returned the following errors: "

# A validation error that the operator has to mend: the model's id, its region, or the account's access to it.
_OPERATORS = re.compile(
    r"arn:aws"
    r"|model identifier"
    r"|on-demand throughput"
    r"|inference profile"
    r"|operation not allowed"
    r"|model access"
    r"|access to the model"
    r"|support the model that you provided"
    r"|end of its life"
    r"|use case details"
    r"|unsupported countr"
    r"|not available in (?:your|this) region",
    re.IGNORECASE,
)

# The ways of saying that the input does not fit, none of which has the number that clients look for (C33).
# Sources: https://github.com/aws-samples/bedrock-chat/issues/95 (Claude),
# https://docs.aws.amazon.com/nova/latest/userguide/invoke.html (Nova), and servers of open models behind Bedrock.
_TOO_LONG = re.compile(
    r"input is too long"
    r"|input tokens? exceed"
    r"|exceeds? (?:the )?(?:model's )?max(?:imum)? (?:context|input|length|number of (?:input )?tokens)"
    r"|maximum context length"
    r"|prompt is too long(?!: \d+ tokens > \d+ maximum)",
    re.IGNORECASE,
)
_TOO_LONG_WITH_NUMBERS = re.compile(r"prompt is too long: \d+ tokens > \d+ maximum")


class InputTooLong(InvalidRequest):
    """The input does not fit, and the upstream does not say by how much."""


# Finds the number that it lacks.
Explain = Callable[[InputTooLong], Awaitable[GatewayError]]


class CountingUnknown(InvalidRequest):
    """CountTokens does not know this model."""


class CredentialsRefused(UpstreamMisconfigured):
    """The credentials are refused; newer ones may not be."""


_OURS = "The gateway is not set up right for this model's provider"
_CREDENTIALS = frozenset(
    {"ExpiredToken", "ExpiredTokenException", "InvalidClientTokenId", "UnrecognizedClientException"}
)


def http_error(status: int, headers: Mapping[str, str], body: bytes) -> GatewayError:
    """The error for a response that is none of 2xx. Header names are in lower case."""
    payload = _object(body)
    # Both spellings of a name occur: "ValidationException:http://internal…" and "com.amazon…#ValidationException".
    given = headers.get("x-amzn-errortype") or payload.get("__type") or payload.get("code")
    name = given.partition(":")[0].rpartition("#")[2] if isinstance(given, str) else ""
    error = _error(name, payload, status, headers)
    error.upstream_status = status
    return error


def stream_error(name: str, payload: bytes) -> GatewayError:
    """The error for an exception that came in a stream; its name begins with a small letter there."""
    return _error(name[:1].upper() + name[1:], _object(payload), 500, {})


def _error(name: str, payload: Mapping[str, object], status: int, headers: Mapping[str, str]) -> GatewayError:
    text = payload.get("message") or payload.get("Message")
    message = text if isinstance(text, str) else ""
    match name:
        case "ValidationException":
            return _validation(message)
        case "ThrottlingException" | "ServiceQuotaExceededException" | "TooManyRequestsException":
            # Whose limit it is and how high is the operator's business.
            return RateLimited(
                "The model's provider is at its limit; try again later",
                headers=refusal(429, "", headers=headers).headers,
            )
        case "ModelTimeoutException":
            return UpstreamTimedOut("The model's provider did not answer in time")
        case "ServiceUnavailableException" | "ModelNotReadyException":
            return UpstreamOverloaded("The model's provider is overloaded")
        case "InternalServerException":
            return UpstreamFailed("The model's provider failed")
        case "ModelErrorException" | "ModelStreamErrorException":
            return _models_own(payload)
        case "AccessDeniedException" | "ResourceNotFoundException":
            return UpstreamMisconfigured(_OURS)
        case _ if name in _CREDENTIALS:
            return CredentialsRefused(_OURS)
        case _:
            return refusal(status, message or _REFUSED, headers=headers)


def _validation(message: str) -> GatewayError:
    message = message.removeprefix(_PREFIX)
    if inner := _object(message.encode()):  # newer models answer with an error object of our own format
        error = inner.get("error")
        text = error.get("message") if isinstance(error, Mapping) else None
        return _validation(text) if isinstance(text, str) else InvalidRequest(_REFUSED)
    if _OPERATORS.search(message):
        return UpstreamMisconfigured(_OURS)
    if "counting tokens" in message:
        return CountingUnknown(message)
    if found := _TOO_LONG_WITH_NUMBERS.search(message):
        return InvalidRequest(found[0], param="messages")
    if _TOO_LONG.search(message):
        return InputTooLong(f"prompt is too long: {message}", param="messages")
    return native_error({"type": "invalid_request_error", "message": message})


def _models_own(payload: Mapping[str, object]) -> GatewayError:
    """The server of the model failed by itself; ``originalStatusCode`` is its own."""
    status = payload.get("originalStatusCode")
    if not isinstance(status, int) or status < 400:
        return UpstreamFailed("The model's provider failed")
    text = payload.get("originalMessage")
    return _validation(text if isinstance(text, str) else "") if status == 400 else refusal(status, _REFUSED)


def _object(text: bytes) -> dict[str, object]:
    try:
        value = from_json(text)
    except ValueError:
        return {}
    return value if isinstance(value, dict) else {}

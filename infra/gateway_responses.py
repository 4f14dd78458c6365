"""What API Gateway answers by itself, in the shape that the SDKs read."""

import json
from dataclasses import dataclass

from aws_cdk import aws_apigateway as apigateway
from constructs import Construct


@dataclass(frozen=True, slots=True)
class Refusal:
    """One of API Gateway's own answers, and what becomes of it."""

    kind: str
    status: int
    error_type: str
    message: str
    retryable: bool = False


# https://docs.aws.amazon.com/apigateway/latest/developerguide/supported-gateway-response-types.html
# The two defaults first: they are for whatever AWS adds.
REFUSALS = (
    Refusal("DEFAULT_4XX", 400, "invalid_request_error", "The gateway could not read this request"),
    Refusal("DEFAULT_5XX", 500, "api_error", "The gateway failed; try again", retryable=True),
    Refusal("ACCESS_DENIED", 403, "permission_error", "This request is not allowed"),
    Refusal("API_CONFIGURATION_ERROR", 500, "api_error", "The gateway failed; try again", retryable=True),
    Refusal("BAD_REQUEST_BODY", 400, "invalid_request_error", "The request body cannot be read"),
    Refusal("BAD_REQUEST_PARAMETERS", 400, "invalid_request_error", "The request's parameters cannot be read"),
    Refusal("INTEGRATION_FAILURE", 500, "api_error", "The gateway failed; try again", retryable=True),
    Refusal("INTEGRATION_TIMEOUT", 504, "timeout_error", "The gateway did not answer in time", retryable=True),
    Refusal("INVALID_SIGNATURE", 403, "permission_error", "The gateway takes API keys, not AWS's signatures"),
    # The name notwithstanding, this is a path or a method that there is not.
    Refusal("MISSING_AUTHENTICATION_TOKEN", 404, "not_found_error", "There is nothing at this path"),
    Refusal("QUOTA_EXCEEDED", 429, "rate_limit_error", "The gateway has more requests than it takes", retryable=True),
    Refusal("REQUEST_TOO_LARGE", 413, "request_too_large", "The request is larger than API Gateway takes"),
    Refusal("RESOURCE_NOT_FOUND", 404, "not_found_error", "There is nothing at this path"),
    Refusal("THROTTLED", 429, "rate_limit_error", "The gateway has more requests than it takes", retryable=True),
    Refusal("UNAUTHORIZED", 401, "authentication_error", "A valid API key is missing"),
    Refusal("UNSUPPORTED_MEDIA_TYPE", 400, "invalid_request_error", "The request body must be JSON"),
    Refusal("WAF_FILTERED", 403, "permission_error", "This request is not allowed"),
)

_RETRY_SECONDS = 1


class GatewayResponses(Construct):
    """All of them, with the request id under which API Gateway's access log has the request.

    It is a UUID, where ours begin with ``req_``: a body's template could put that before it, but a header is a
    variable as it is, or a fixed text, and both must have the same id.
    https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-gatewayResponse-definition.html
    https://docs.aws.amazon.com/apigateway/latest/developerguide/request-response-data-mappings.html
    """

    def __init__(self, scope: Construct, construct_id: str, *, api: apigateway.RestApi) -> None:
        super().__init__(scope, construct_id)
        for refusal in REFUSALS:
            api.add_gateway_response(
                "".join(word.capitalize() for word in refusal.kind.split("_")),
                type=apigateway.ResponseType.of(refusal.kind),
                status_code=str(refusal.status),
                response_headers=headers(refusal),
                templates={"application/json": body(refusal)},
            )


def headers(refusal: Refusal) -> dict[str, str]:
    """By name; a fixed value stands in single quotes."""
    found = {"request-id": "context.requestId"}
    if not refusal.retryable:
        found["x-should-retry"] = "'false'"
    elif refusal.status == 429:
        found["retry-after"] = f"'{_RETRY_SECONDS}'"
    return found


def body(refusal: Refusal) -> str:
    """The documented envelope."""
    error = {"type": refusal.error_type, "message": refusal.message}
    return json.dumps({"type": "error", "error": error, "request_id": "$context.requestId"})

"""Every error has its place in the contract."""

import pytest

from megallm import errors
from megallm.errors import GatewayError, InvalidRequest, RateLimited, envelope


@pytest.mark.parametrize(
    ("error", "status", "kind"),
    [
        (errors.InvalidRequest, 400, "invalid_request_error"),
        (errors.NotAuthenticated, 401, "authentication_error"),
        (errors.PermissionDenied, 403, "permission_error"),
        (errors.NotFound, 404, "not_found_error"),
        (errors.MethodNotAllowed, 405, "invalid_request_error"),
        (errors.RequestTooLarge, 413, "request_too_large"),
        (errors.RateLimited, 429, "rate_limit_error"),
        (errors.UpstreamFailed, 500, "api_error"),
        (errors.InternalError, 500, "api_error"),
        (errors.UpstreamTimedOut, 504, "timeout_error"),
        (errors.UpstreamOverloaded, 529, "overloaded_error"),
    ],
)
def test_an_error_has_its_status_and_type(error: type[GatewayError], status: int, kind: str) -> None:
    """Section 7 of the contract."""
    assert (error.status, error.type) == (status, kind)


def test_the_envelope_is_the_union_of_both_documented_shapes() -> None:
    """`type` and `request_id` outside; `type`, `message`, `param`, `details` inside."""
    error = InvalidRequest("max_tokens is required", param="max_tokens", details={"error_code": "x"})

    assert envelope(error, "req_1") == {
        "type": "error",
        "error": {
            "type": "invalid_request_error",
            "message": "max_tokens is required",
            "param": "max_tokens",
            "details": {"error_code": "x"},
        },
        "request_id": "req_1",
    }


def test_what_is_not_known_is_left_out_of_the_envelope() -> None:
    """No nulls."""
    assert envelope(RateLimited("slow down"), "req_1") == {
        "type": "error",
        "error": {"type": "rate_limit_error", "message": "slow down"},
        "request_id": "req_1",
    }

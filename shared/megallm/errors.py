"""The tree of everything that can go wrong, and its one JSON shape.

    GatewayError
    ├── CallerError            the request, its key or the caller's haste is at fault
    │   ├── InvalidRequest         400 invalid_request_error
    │   ├── NotAuthenticated       401 authentication_error
    │   ├── PermissionDenied       403 permission_error
    │   ├── NotFound               404 not_found_error
    │   ├── MethodNotAllowed       405 invalid_request_error
    │   ├── RequestTooLarge        413 request_too_large
    │   └── RateLimited            429 rate_limit_error
    ├── UpstreamError          the provider behind the gateway is at fault
    │   ├── UpstreamFailed         500 api_error
    │   │   └── UnfitReply         the same: its reply is not what was asked for, and was asked for twice
    │   ├── UpstreamMisconfigured  500 api_error: it refuses our key, or does not know our model
    │   ├── UpstreamTimedOut       504 timeout_error
    │   └── UpstreamOverloaded     529 overloaded_error
    └── InternalError          500 api_error: our own fault

Messages are written for the caller and never hold message content or a key.
"""

from collections.abc import Mapping
from typing import ClassVar


class GatewayError(Exception):
    """An error with a place in the contract.

    ``status`` and ``type`` follow section 7 of the contract, ``param`` is the dotted path of the
    one request field at fault, ``details`` goes into ``error.details`` (its ``error_code`` selects
    the SDK's exception class), ``headers`` go onto the response, and ``retryable`` tells whether the same request
    can succeed later. ``upstream_status`` is for the log: the status that an upstream answered with, if one did.
    """

    status: ClassVar[int] = 500
    type: ClassVar[str] = "api_error"
    retryable: ClassVar[bool] = False

    def __init__(
        self,
        message: str,
        *,
        param: str | None = None,
        details: Mapping[str, object] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.param = param
        self.details = details
        self.headers = dict(headers or {})
        self.upstream_status: int | None = None


class CallerError(GatewayError):
    """The caller's fault."""

    status = 400
    type = "invalid_request_error"


class InvalidRequest(CallerError):
    """The request cannot be honoured as it stands."""


class NotAuthenticated(CallerError):
    """No key, or one that is unknown, expired or revoked."""

    status = 401
    type = "authentication_error"


class PermissionDenied(CallerError):
    """The key or the web page may not do this."""

    status = 403
    type = "permission_error"


class NotFound(CallerError):
    """No such route, model or thing."""

    status = 404
    type = "not_found_error"


class MethodNotAllowed(CallerError):
    """The path exists, but not with this method."""

    status = 405


class RequestTooLarge(CallerError):
    """The body is over the limit of this deployment."""

    status = 413
    type = "request_too_large"


class RateLimited(CallerError):
    """A limit of the key, or of the upstream, is used up for now."""

    status = 429
    type = "rate_limit_error"
    retryable = True


class UpstreamError(GatewayError):
    """The provider's fault."""

    retryable = True


class UpstreamFailed(UpstreamError):
    """The upstream refused, broke off or sent what cannot be read."""


class UnfitReply(UpstreamFailed):
    """The reply does not follow its schema, after a repair. To generate it again and again would only cost more."""

    retryable = False


class UpstreamMisconfigured(UpstreamError):
    """The upstream refuses what the operator configured: the key, the model, the path. Not the caller's business."""

    retryable = False


class UpstreamTimedOut(UpstreamError):
    """The upstream did not answer in time."""

    status = 504
    type = "timeout_error"


class UpstreamOverloaded(UpstreamError):
    """The upstream has no capacity at the moment."""

    status = 529
    type = "overloaded_error"


class InternalError(GatewayError):
    """Our fault; what happened is in the log under the request id."""

    retryable = True


def clip(text: str, letters: int = 100) -> str:
    """What a caller wrote, short enough to stand in an error's message."""
    return text if len(text) <= letters else f"{text[:letters]}…"


def envelope(error: GatewayError, request_id: str) -> dict[str, object]:
    """The error body of every route: both of the documented shapes in one.

    ``{"type": "error", "error": {"type", "message", "param"?, "details"?}, "request_id"}``
    """
    body: dict[str, object] = {"type": error.type, "message": error.message}
    if error.param is not None:
        body["param"] = error.param
    if error.details is not None:
        body["details"] = dict(error.details)
    return {"type": "error", "error": body, "request_id": request_id}

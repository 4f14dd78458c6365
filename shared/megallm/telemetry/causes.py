"""Why a call was refused, in a closed list of words: errors of one type in the contract may have several."""

from collections.abc import Mapping

from megallm.errors import (
    CallerError,
    GatewayError,
    InternalError,
    NotAuthenticated,
    NotFound,
    PermissionDenied,
    RateLimited,
    RequestTooLarge,
    UpstreamError,
    UpstreamMisconfigured,
    UpstreamOverloaded,
    UpstreamTimedOut,
)

_OWN_LIMIT, _UPSTREAM_LIMIT = "own_limit", "upstream_limit"
# Of each branch of the tree the nearest one counts.
_CAUSES: Mapping[type[GatewayError], str] = {
    CallerError: "invalid_request",
    NotAuthenticated: "authentication",
    PermissionDenied: "permission",
    NotFound: "not_found",
    RequestTooLarge: "too_large",
    RateLimited: _OWN_LIMIT,
    UpstreamError: "upstream_failed",
    UpstreamMisconfigured: "upstream_misconfigured",
    UpstreamTimedOut: "upstream_timed_out",
    UpstreamOverloaded: "upstream_overloaded",
    InternalError: "internal",
    GatewayError: "internal",
}
CAUSES = (*dict.fromkeys(_CAUSES.values()), _UPSTREAM_LIMIT)


def cause_of(error: GatewayError, *, by_upstream: bool) -> str:
    """One of ``CAUSES``. The key's limits refuse before any upstream is asked, so after that it is the upstream's."""
    if by_upstream and isinstance(error, RateLimited):
        return _UPSTREAM_LIMIT
    return next(_CAUSES[kind] for kind in type(error).__mro__ if kind in _CAUSES)

"""What an upstream's status means for the caller (C32)."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest

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
from megallm.providers.refusals import refusal

SECRET = "Incorrect API key provided: sk-canary"
NOT_SET_UP = "The gateway is not set up right for this model's provider"
OVERLOADED = "The model's provider is overloaded"
TIMED_OUT = "The model's provider did not answer in time"
LATER = "The model's provider is limiting requests; send it again later"
FAILED = "The model's provider failed"

MEANINGS: dict[int, tuple[type[GatewayError], str]] = {
    301: (UpstreamMisconfigured, NOT_SET_UP),
    307: (UpstreamMisconfigured, NOT_SET_UP),
    400: (InvalidRequest, SECRET),
    401: (UpstreamMisconfigured, NOT_SET_UP),
    402: (UpstreamMisconfigured, NOT_SET_UP),
    403: (UpstreamMisconfigured, NOT_SET_UP),
    404: (UpstreamMisconfigured, NOT_SET_UP),
    408: (UpstreamTimedOut, TIMED_OUT),
    413: (RequestTooLarge, SECRET),
    418: (UpstreamMisconfigured, NOT_SET_UP),
    422: (InvalidRequest, SECRET),
    429: (RateLimited, LATER),
    500: (UpstreamFailed, FAILED),
    502: (UpstreamFailed, FAILED),
    503: (UpstreamOverloaded, OVERLOADED),
    504: (UpstreamTimedOut, TIMED_OUT),
    529: (UpstreamOverloaded, OVERLOADED),
    599: (UpstreamFailed, FAILED),
    799: (UpstreamFailed, FAILED),
}

TOLD = {
    "retry-after": "7",
    "retry-after-ms": "6500",
    "anthropic-ratelimit-requests-reset": "2026-11-22T12:00:00Z",
    "x-ratelimit-remaining-tokens": "0",
}


@pytest.mark.parametrize("status", MEANINGS)
def test_a_status_means_the_callers_fault_the_upstreams_or_the_operators(status: int) -> None:
    """Only what is the caller's business repeats the upstream's words: the others name keys and accounts."""
    error = refusal(status, SECRET)

    assert (type(error), error.message) == MEANINGS[status]


@pytest.mark.parametrize("status", [400, 422])
def test_the_field_at_fault_is_named(status: int) -> None:
    """Where the upstream says which one it was."""
    assert refusal(status, "no", param="messages.0.content").param == "messages.0.content"


@pytest.mark.parametrize("status", [429, 503, 529])
def test_when_to_come_back_is_told_and_nothing_else(status: int) -> None:
    """Rate headers and waits, under whatever case they came; not the upstream's cookies and names."""
    headers = {name.title(): value for name, value in TOLD.items()}

    error = refusal(status, "later", headers={**headers, "Set-Cookie": "a=b", "Server": "nginx", "X-Account": "acme"})

    assert error.headers == TOLD


@pytest.mark.parametrize("status", [400, 401, 413, 500, 504])
def test_other_refusals_carry_no_headers(status: int) -> None:
    """They do not say that waiting helps."""
    assert refusal(status, "no", headers=TOLD).headers == {}


@pytest.mark.parametrize("value", ["0", " 0 ", "0.5", "-5", "1"])
def test_a_wait_is_a_whole_second_at_least(value: str) -> None:
    """SDKs ignore a 0, and come back when they like (C34)."""
    assert refusal(429, "later", headers={"retry-after": value}).headers == {"retry-after": "1"}


@pytest.mark.parametrize("headers", [{"retry-after": "soon"}, {"retry-after": "inf"}, {"retry-after-ms": "0"}], ids=str)
def test_a_wait_that_is_none_is_not_told(headers: Mapping[str, str]) -> None:
    """What no SDK could read."""
    assert refusal(429, "later", headers=headers).headers == {}


@pytest.mark.parametrize(("ahead", "least", "most"), [(90, 80, 91), (-90, 1, 1)])
def test_a_wait_until_a_date_is_told_in_seconds(ahead: int, least: int, most: int) -> None:
    """The contract promises a number (C34)."""
    date = format_datetime(datetime.now(UTC) + timedelta(seconds=ahead), usegmt=True)

    headers = refusal(429, "later", headers={"retry-after": date}).headers

    assert least <= int(headers["retry-after"]) <= most

"""Error objects of an upstream that speaks our own format, as errors of our tree: by their type, not by a status."""

import re
from collections.abc import Callable, Mapping

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
    clip,
)
from megallm.messages.events import JsonObject
from megallm.messages.requests import MessagesRequest

_MAX_LETTERS = 2000
# "messages.1.content.0.text: what is wrong": the field at fault stands in front.
_PATH = re.compile(r"([a-z_]+)(?:\.[A-Za-z0-9_-]+)*(?=: )")
# Something that the request named, other than the model: a file, a container, a skill.
_NAMED = re.compile(r"\b(?:file|container|skill|user_profile)_\w{4,}")
# Bad requests by their type, and yet the account's trouble: the caller can do nothing about it, and need not know.
# The texts: https://github.com/anthropics/claude-code/issues/4684 and /issues/2127; the codes: those of the details'
# types in the package anthropic 2.12.
_ACCOUNT_TEXT = re.compile(r"credit balance|API usage limits|organization has been disabled")
_ACCOUNT_CODE = re.compile(r"organization|billing|spend_limit|cmek")
# llama.cpp calls it a server error, though it is the request that cannot be honoured.
_CANNOT_TEXT = re.compile(r"(?:image|audio) input is not supported")
# Clients match these two (C33).
_FOR_CLIENTS = re.compile(
    r"prompt is too long: \d+ tokens > \d+ maximum"
    r"|input length and `max_tokens` exceed context limit: \d+ \+ \d+ > \d+"
)
_NOT_SET_UP = "The gateway is not set up right for this model's provider"


def _as_it_is(payload: JsonObject) -> JsonObject:
    return payload


def native_error(payload: JsonObject, redact: Callable[[JsonObject], JsonObject] = _as_it_is) -> GatewayError:
    """The error for ``{"type": "error", "error": {"type", "message", "details"?}}``; the wrapping may be missing.

    Only the caller's own errors repeat the upstream's text and its ``details``, without what *redact* takes out of
    them: what it means is seen before, in the upstream's own words. A type that is not known gives UpstreamFailed.
    """
    error, shown = _inner(payload), _inner(redact(payload))
    said, text = error_text(error), _told(error, shown)
    details = _details(shown)
    match error.get("type"):
        case "invalid_request_error" if _is_the_accounts(said, _details(error)):
            return UpstreamMisconfigured("The gateway's account with this model's provider is used up or closed")
        case "invalid_request_error":
            return InvalidRequest(
                text or "The model's provider refused the request", param=_param(said, text), details=details
            )
        case "exceed_context_size_error":
            return InvalidRequest(_too_long(error, text), param="messages")
        case "server_error" if _CANNOT_TEXT.search(said):
            return InvalidRequest(f"messages: the model's provider says: {text}", param="messages")
        case "request_too_large":
            return RequestTooLarge(text or "The request is too large for the model's provider", details=details)
        case "rate_limit_error":
            return RateLimited(text or "The model's provider limits the rate of requests", details=details)
        case "not_found_error" if details is not None or _NAMED.search(said):
            return NotFound(text, details=details)
        case "authentication_error" | "permission_error" | "billing_error" | "not_found_error":
            return UpstreamMisconfigured(_NOT_SET_UP)
        case "overloaded_error" | "unavailable_error":  # the latter is llama.cpp's, while it loads its model
            return UpstreamOverloaded("The model's provider is overloaded")
        case "timeout_error":
            return UpstreamTimedOut("The model's provider did not answer in time")
        case _:
            return UpstreamFailed("The model's provider failed")


def error_text(payload: Mapping[str, object]) -> str:
    """The upstream's own words; empty where there are none."""
    text = _inner(payload).get("message")
    return clip(text, _MAX_LETTERS) if isinstance(text, str) else ""


def _inner(payload: Mapping[str, object]) -> Mapping[str, object]:
    inner = payload.get("error")
    return inner if isinstance(inner, Mapping) else payload


def _is_the_accounts(text: str, details: Mapping[str, object] | None) -> bool:
    code = str(details["error_code"]) if details is not None else ""
    return _ACCOUNT_TEXT.search(text) is not None or _ACCOUNT_CODE.search(code) is not None


def _too_long(error: Mapping[str, object], text: str) -> str:
    """llama.cpp's overflow in the words that clients look for (C33).

    Source: ``n_prompt_tokens`` and ``n_ctx`` in tools/server/server-task.cpp of ggml-org/llama.cpp.
    """
    tokens, limit = error.get("n_prompt_tokens"), error.get("n_ctx")
    if isinstance(tokens, int) and isinstance(limit, int):
        return f"prompt is too long: {tokens} tokens > {limit} maximum"
    return f"prompt is too long: {text}"


def _told(error: JsonObject, shown: JsonObject) -> str:
    """The words that the caller reads. Those that clients look for stay whole: but for numbers they are known."""
    found = _FOR_CLIENTS.search(error_text(error))
    text = error_text(shown)
    return text if found is None or found[0] in text else found[0]


def _param(said: str, told: str) -> str | None:
    """The field at fault; none where its name is not told whole."""
    found = _PATH.match(said)
    is_told = found is not None and told.startswith(f"{found[0]}: ")
    return found[0] if found and is_told and found[1] in MessagesRequest.model_fields else None


def _details(error: Mapping[str, object]) -> Mapping[str, object] | None:
    """Details that select an exception class of the SDKs."""
    details = error.get("details")
    if isinstance(details, Mapping) and isinstance(details.get("error_code"), str):
        return details
    return None

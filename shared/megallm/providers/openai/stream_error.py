"""What an error means that comes in the place of a chunk, after the 200: it has no status, but often a code."""

from collections.abc import Mapping

from megallm.errors import GatewayError
from megallm.providers.openai.errors import Filtered, meaning
from megallm.providers.openai.errors_body import Redact, Said, said_in
from megallm.providers.openai.errors_overflow import Sizes

# Codes and types in lower case, of OpenAI, vLLM, llama.cpp and LiteLLM, where they tell no number.
_STATUSES: Mapping[str, int] = {
    "invalid_request_error": 400,
    "badrequesterror": 400,
    "content_filter": 400,
    "content_policy_violation": 400,
    "authentication_error": 401,
    "invalid_api_key": 401,
    "permission_error": 403,
    "rate_limit_error": 429,
    "rate_limit_exceeded": 429,
    "unavailable_error": 503,
    "service_unavailable": 503,
    "overloaded_error": 503,
    "timeout": 504,
}
_UNKNOWN = 500
# The prompt was taken when the reply began, so that its size seldom matters any more.
_NO_SIZES = Sizes(prompt=lambda: 0, max_tokens=0, context=None)


def stream_error(payload: object, redact: Redact) -> GatewayError | Filtered:
    """The error that *payload* tells of, the value of ``error``; or that it is the content filter that spoke.

    *redact* takes our keys out of its text.
    """
    said = said_in(payload if isinstance(payload, Mapping) else {"error": payload})
    return meaning(_status(said), {}, said, _NO_SIZES, redact)


def _status(said: Said) -> int:
    for text in (said.code, said.type):
        if text.isdecimal() and 400 <= int(text) < 600:
            return int(text)
        if text in _STATUSES:
            return _STATUSES[text]
    return _UNKNOWN

"""What the answers of an upstream mean that are no message: errors by their type, by their status where that says more.

Knows no sockets.
"""

from collections.abc import Callable, Mapping

from pydantic_core import from_json

from megallm.errors import GatewayError, RateLimited, UpstreamFailed
from megallm.messages.events import JsonObject
from megallm.messages.native.errors import error_text, native_error
from megallm.messages.native.payloads import json_object
from megallm.providers.refusals import refusal

OF_THE_KEY = frozenset({401, 403})


def refused(
    status: int, headers: Mapping[str, str], body: bytes, redact: Callable[[JsonObject], JsonObject]
) -> GatewayError:
    """The error for a status that is not 200 (contract C32), without what *redact* takes out of its words.

    *headers* have names in lower case.
    """
    payload = _error(body)
    if payload is None and status in (400, 422):
        return UpstreamFailed("The model's provider sent an answer that cannot be read")  # a proxy's page, most likely
    text = error_text({} if payload is None else redact(payload))
    by_status = refusal(status, text or "The model's provider refused the request", headers=headers)
    if payload is None or status in OF_THE_KEY or isinstance(by_status, RateLimited):
        return by_status
    by_type = native_error(payload, redact)
    if type(by_type) is UpstreamFailed:
        return by_status  # a type of the upstream's own, or none
    if type(by_type) is type(by_status):
        by_type.headers.update(by_status.headers)
    by_type.upstream_status = status
    return by_type


def counted(body: bytes) -> int:
    """The answer of count_tokens. Raises UpstreamFailed."""
    tokens = json_object(body).get("input_tokens")
    if not isinstance(tokens, int):
        raise UpstreamFailed("The model's provider did not tell the number of tokens")
    return tokens


def _error(body: bytes) -> JsonObject | None:
    try:
        payload = from_json(body)
    except ValueError:
        return None
    return payload if isinstance(payload, dict) and isinstance(payload.get("error"), dict) else None

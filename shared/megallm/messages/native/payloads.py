"""JSON objects out of an upstream's bytes."""

from typing import Any

from pydantic_core import from_json

from megallm.errors import UpstreamFailed


def json_object(raw: bytes) -> dict[str, Any]:  # Any: JSON
    """Raises UpstreamFailed for whatever is no JSON object.

    Bytes that are not UTF-8 become U+FFFD, and a byte-order mark is skipped, as it is in a stream (C31).
    """
    try:
        payload = _parsed(raw)
    except ValueError as error:
        raise UpstreamFailed("The upstream sent what is not valid JSON") from error
    if not isinstance(payload, dict):
        raise UpstreamFailed("The upstream sent what is no JSON object")
    return payload


def utf8(raw: bytes) -> bytes:
    """The bytes, with U+FFFD for those that are not UTF-8: what is relayed unread is text all the same."""
    return raw if raw.isascii() else raw.decode("utf-8", "replace").encode()


def _parsed(raw: bytes) -> Any:  # Any: JSON
    try:
        return from_json(raw, allow_inf_nan=False)
    except ValueError:
        return from_json(raw.decode("utf-8-sig", "replace"), allow_inf_nan=False)

"""JSON objects out of an upstream's bytes."""

from typing import Any

from pydantic_core import from_json

from megallm.errors import UpstreamFailed


def json_object(raw: bytes) -> dict[str, Any]:  # Any: JSON
    """Raises UpstreamFailed for whatever is no JSON object."""
    try:
        payload = from_json(raw, allow_inf_nan=False)
    except ValueError as error:
        raise UpstreamFailed("The upstream sent what is not valid JSON") from error
    if not isinstance(payload, dict):
        raise UpstreamFailed("The upstream sent what is no JSON object")
    return payload

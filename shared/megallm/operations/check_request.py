"""What is refused whatever the route: before any limit is touched and any upstream called."""

from megallm.errors import InvalidRequest
from megallm.messages.conversation import check_tool_pairs
from megallm.messages.requests import TokenCountRequest
from megallm.operations.gateway import Gateway
from megallm.operations.route_call import Sender

# What Anthropic's own API no longer takes from this version on.
_REMOVED_IN_2026 = ("temperature", "top_p", "top_k")


def check_request(gateway: Gateway, request: TokenCountRequest, sender: Sender) -> None:
    """Raises InvalidRequest."""
    if request.model_extra and request.model_extra.get("thread") is not None:
        # Taking the new messages alone would lose the history; this code makes the SDK send it whole (C44).
        raise InvalidRequest(
            "thread: this gateway does not hold threads; send the whole conversation",
            param="thread",
            details={"error_code": "thread_unsupported_request", "unsupported": ["thread"]},
        )
    if gateway.settings.strict and sender.version != "2023-06-01":
        for field in _REMOVED_IN_2026:
            if getattr(request, field, None) is not None:
                raise InvalidRequest(f"{field}: Extra inputs are not permitted", param=field)
    check_tool_pairs(request.messages)

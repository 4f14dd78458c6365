"""From a validated request to a call that is ready to be sent: checks, route, translation, adaptations."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypeVar

from megallm.errors import InvalidRequest
from megallm.messages.adaptations import HEADER, header_value
from megallm.messages.calls import Adaptation, ApiVersion, Call
from megallm.messages.conversation import check_tool_pairs
from megallm.messages.requests import MessagesRequest, TokenCountRequest
from megallm.operations.deadline import Deadline
from megallm.operations.gateway import Gateway
from megallm.operations.ports import PreparedCall, Provider
from megallm.operations.trace import Trace

RequestT = TypeVar("RequestT", bound=TokenCountRequest)

# What Anthropic's own API no longer takes from this version on.
_REMOVED_IN_2026 = ("temperature", "top_p", "top_k")


@dataclass(frozen=True, slots=True)
class Sender:
    """What a request says of itself outside its body."""

    version: ApiVersion = "2023-06-01"
    betas: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Ready:
    """A call that only has to be sent, and what the response's headers tell of it."""

    prepared: PreparedCall
    headers: Mapping[str, str]


async def prepare_call(gateway: Gateway, request: MessagesRequest, sender: Sender, trace: Trace) -> Ready:
    """Decides everything that can be decided without the upstream. Raises CallerError."""
    _check(request)
    if gateway.settings.strict and sender.version != "2023-06-01":
        for field in _REMOVED_IN_2026:
            if getattr(request, field) is not None:
                raise InvalidRequest(f"{field}: Extra inputs are not permitted", param=field)
    provider, call = _route(gateway, request, sender, trace)
    prepared = await provider.prepare(call)
    headers = {"megallm-route": trace.route or ""}
    if prepared.adaptations:
        if gateway.settings.strict:
            raise _refused(prepared.adaptations[0])
        headers[HEADER] = header_value(prepared.adaptations)
    return Ready(prepared, headers)


async def count_tokens(gateway: Gateway, request: TokenCountRequest, sender: Sender, trace: Trace) -> int:
    """The input tokens of the request on the route that would answer it. Raises GatewayError."""
    _check(request)
    provider, call = _route(gateway, request, sender, trace)
    async with Deadline(gateway.settings.upstream_timeout_seconds):
        return await provider.count_tokens(call)


def _check(request: TokenCountRequest) -> None:
    if request.model_extra and request.model_extra.get("thread") is not None:
        # Taking the new messages alone would lose the history; this code makes the SDK send it whole (C44).
        raise InvalidRequest(
            "thread: this gateway does not hold threads; send the whole conversation",
            param="thread",
            details={"error_code": "thread_unsupported_request", "unsupported": ["thread"]},
        )
    check_tool_pairs(request.messages)


def _route(gateway: Gateway, request: RequestT, sender: Sender, trace: Trace) -> tuple[Provider, Call[RequestT]]:
    model = gateway.catalog.find(request.model)
    route = model.routes[0]
    trace.model = request.model
    trace.route = f"{route.provider}/{route.model}"
    return gateway.providers[route.provider], Call(request, route.model, sender.betas)


def _refused(adaptation: Adaptation) -> InvalidRequest:
    return InvalidRequest(
        f"{adaptation.field}: would be {adaptation.change} on this model's route, and strict mode does not allow that",
        param=adaptation.field,
    )

"""The input tokens of a request, without generating anything."""

import time

from megallm.errors import GatewayError
from megallm.messages.requests import TokenCountRequest
from megallm.operations.check_request import check_request
from megallm.operations.deadline import Deadline, seconds_for
from megallm.operations.gateway import Gateway
from megallm.operations.retry import is_upstreams
from megallm.operations.route_call import Sender, call_of, log_failure
from megallm.operations.trace import Trace


async def count_tokens(gateway: Gateway, request: TokenCountRequest, sender: Sender, body: bytes, trace: Trace) -> int:
    """As the first route counts that can be asked. Raises GatewayError."""
    check_request(gateway, request, sender)
    model = gateway.catalog.find(request.model)
    trace.model = request.model
    async with Deadline(seconds_for(gateway, sender.seconds_left)):
        for route in model.routes:
            trace.route = route.name
            began = time.perf_counter()
            try:
                return await gateway.providers[route.provider].count_tokens(
                    call_of(request, model, route, sender, body)
                )
            except GatewayError as error:
                log_failure(trace, 1, error, began)
                if not is_upstreams(error) or route is model.routes[-1]:
                    raise
    raise AssertionError("a model has a route")

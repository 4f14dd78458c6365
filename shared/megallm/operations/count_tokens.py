"""The input tokens of a request, without generating anything."""

import asyncio
import time

from megallm.errors import GatewayError
from megallm.messages.requests import TokenCountRequest
from megallm.operations.check_request import check_request
from megallm.operations.deadline import Deadline, RouteLimit, RouteTimedOut, seconds_for
from megallm.operations.gateway import Gateway
from megallm.operations.retry import is_upstreams
from megallm.operations.route_call import Sender, call_of, log_failure
from megallm.operations.trace import Trace


async def count_tokens(gateway: Gateway, request: TokenCountRequest, sender: Sender, body: bytes, trace: Trace) -> int:
    """As the first route counts that can be asked. Raises GatewayError."""
    check_request(gateway, request, sender)
    model = gateway.catalog.find(request.model)
    trace.model, trace.known_model = request.model, model
    seconds = seconds_for(gateway, sender.seconds_left)
    deadline = time.monotonic() + seconds
    routes, tried = list(model.routes), 0
    async with Deadline(seconds):
        while True:
            route = routes[0]
            trace.route = route.name
            tried += 1
            began = time.perf_counter()
            try:
                call = call_of(request, model, route, sender, body)
                async with RouteLimit(route.first_byte_seconds if len(routes) > 1 else None):
                    return await gateway.providers[route.provider].count_tokens(call)
            except GatewayError as error:
                log_failure(trace, tried, error, began)
                hangs = isinstance(error, RouteTimedOut)
                wait = None if hangs else gateway.retry.wait(error, tried, deadline - time.monotonic())
                if not is_upstreams(error) or (wait is None and len(routes) == 1):
                    raise
                if wait is None:
                    routes, tried = routes[1:], 0
                else:
                    await asyncio.sleep(wait)

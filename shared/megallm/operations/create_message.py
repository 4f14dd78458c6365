"""One request, one whole reply."""

import time
from collections.abc import Mapping

from megallm.errors import GatewayError
from megallm.identifiers import new_message_id
from megallm.keys import Caller
from megallm.messages.frozen import frozen
from megallm.messages.replies import reply_to_wire
from megallm.messages.requests import MessagesRequest
from megallm.operations.check_request import check_request
from megallm.operations.deadline import Deadline, seconds_for
from megallm.operations.gateway import Gateway
from megallm.operations.ports import Admission
from megallm.operations.reserve_tokens import reserved_tokens
from megallm.operations.route_call import RoutedCall, Sender
from megallm.operations.settle import charged, settle_to_the_end
from megallm.operations.trace import Trace


@frozen
class Answer:
    """The body of the response and the headers that tell how it came about."""

    message: Mapping[str, object]
    headers: Mapping[str, str]


async def create_message(
    gateway: Gateway, caller: Caller, request: MessagesRequest, sender: Sender, trace: Trace, body: bytes
) -> Answer:
    """The reply in the SDK's ``Message`` shape. Raises GatewayError; cancelling it ends the upstream call.

    The deadline is of the whole: what it takes to be let in is not there for the upstream.
    """
    check_request(gateway, request, sender)
    seconds = seconds_for(gateway, sender.seconds_left)
    call = RoutedCall(gateway, request, sender, body, trace, time.monotonic() + seconds)
    admission: Admission | None = None
    failure: BaseException | None = None
    started = time.perf_counter()
    try:
        async with Deadline(seconds):
            admission = await gateway.limiter.admit(caller, reserved_tokens(request, body))
            started = time.perf_counter()
            reply = await call.create()
    except BaseException as error:
        failure = error
        raise
    finally:
        if admission is not None:
            trace.upstream_ms = (time.perf_counter() - started) * 1000
            trace.usage = call.usage
            await settle_to_the_end(admission, charged(trace.usage, failure), trace.prices)
            if isinstance(failure, GatewayError):
                failure.headers = {**admission.headers, **failure.headers}
    trace.stop_reason = reply.stop_reason
    trace.message_id = message_id = new_message_id()
    return Answer(reply_to_wire(reply, message_id, request.model), {**call.headers, **admission.headers})

"""The outermost layer of the app: the request id, the one handler of every error, the one log line of a request."""

import asyncio
import time
from collections.abc import Mapping
from http import HTTPStatus

from pydantic_core import to_json
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from functions.api.disconnect import ClientGone, stopping
from functions.api.framework import RequestValidationError
from megallm.errors import GatewayError, InternalError, InvalidRequest, MethodNotAllowed, NotFound, envelope
from megallm.identifiers import new_request_id
from megallm.operations.measure import request_members
from megallm.operations.trace import Trace
from megallm.telemetry import log
from megallm.telemetry.embedded import EmbeddedMetrics

TRACE = "megallm.trace"
CLIENT_CLOSED_REQUEST = 499  # as nginx logs it; nobody is there to receive it


class Edge:
    """ASGI middleware. Puts a ``Trace`` into the scope; whatever is raised below becomes the documented envelope."""

    def __init__(self, app: ASGIApp, paths: Mapping[object, str], metrics: EmbeddedMetrics | None = None) -> None:
        self._app = app
        self._paths = paths  # of each endpoint, for the log
        self._metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        began = time.perf_counter()
        trace = Trace(new_request_id())
        scope[TRACE] = trace
        status = 0

        async def send_with_id(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message["headers"] = [*message.get("headers", ()), (b"request-id", trace.request_id.encode())]
            await send(message)

        async def refuse(error: GatewayError) -> None:
            trace.failed(error)
            if status == 0:
                await _respond(error, trace, send_with_id)
            # Otherwise the response has begun and cannot be mended: it ends here, and the log has the reason.

        try:
            await self._app(scope, receive, send_with_id)
        except ClientGone:
            status = CLIENT_CLOSED_REQUEST
        except asyncio.CancelledError:
            await refuse(stopping())
        except Exception as exception:  # noqa: BLE001  the outermost boundary: nothing may escape it unshaped
            await refuse(_as_gateway_error(exception, trace))
        finally:
            self._log_request(scope, trace, status, began)

    def _log_request(self, scope: Scope, trace: Trace, status: int, began: float) -> None:
        # The pattern that matched, never the path itself: that may hold anything, a key pasted by mistake too.
        fields: dict[str, object] = {
            "request_id": trace.request_id,
            "method": scope["method"],
            "route": self._paths.get(scope.get("endpoint"), "unknown"),
            "status": status,
            "duration_ms": round((time.perf_counter() - began) * 1000, 2),
        }
        if trace.key_id is not None:
            fields["key_id"] = trace.key_id
        if trace.error_type is not None:
            fields["error_type"] = trace.error_type
        if trace.model is not None:
            provider, _, upstream_model = (trace.route or "").partition("/")
            fields |= {
                "model": trace.model,
                "provider": provider,
                "upstream_model": upstream_model,
                "stream": trace.stream,
                "message_id": trace.message_id,
                "stop_reason": trace.stop_reason,
                "upstream_ms": trace.upstream_ms and round(trace.upstream_ms, 2),
                "first_event_ms": trace.first_event_ms and round(trace.first_event_ms, 2),
            }
        if trace.usage is not None:
            fields |= {
                "input_tokens": trace.usage.input_tokens,
                "output_tokens": trace.usage.output_tokens,
                "cache_read_input_tokens": trace.usage.cache_read_input_tokens,
            }
        metrics = self._metrics
        log(
            "request",
            fields,
            members=None if metrics is None else request_members(metrics, trace, began, time.time()),
        )


def trace_of(scope: Scope) -> Trace:
    """The trace that the edge began for this request."""
    trace = scope[TRACE]
    assert isinstance(trace, Trace)
    return trace


def _as_gateway_error(exception: Exception, trace: Trace) -> GatewayError:
    if isinstance(exception, GatewayError):
        if exception.status == HTTPStatus.INTERNAL_SERVER_ERROR:
            log("failed", {"request_id": trace.request_id}, error=exception)
        return exception
    if isinstance(exception, HTTPException):
        return _from_http_exception(exception)
    if isinstance(exception, RequestValidationError):  # of a route that was added: ours validate by themselves
        return InvalidRequest("The request is not what this path takes")
    log("crash", {"request_id": trace.request_id}, error=exception)
    return InternalError("The gateway failed; the request id finds the reason in its log")


def _from_http_exception(exception: HTTPException) -> GatewayError:
    """What the router refuses: it knows nothing of our errors."""
    match exception.status_code:
        case HTTPStatus.NOT_FOUND:
            return NotFound("There is nothing at this path")
        case HTTPStatus.METHOD_NOT_ALLOWED:
            return MethodNotAllowed("This path does not take this method", headers=exception.headers)
        case _:
            return InvalidRequest(HTTPStatus(exception.status_code).phrase)


async def _respond(error: GatewayError, trace: Trace, send: Send) -> None:
    headers = [(b"content-type", b"application/json")]
    for name, value in error.headers.items():
        # An upstream's may hold anything; this is the last line of defence, which must not fail itself.
        if name.isascii() and value.isascii() and value.isprintable():
            headers.append((name.lower().encode(), value.encode()))
    if not error.retryable:
        headers.append((b"x-should-retry", b"false"))
    body = to_json(envelope(error, trace.request_id))
    headers.append((b"content-length", str(len(body)).encode()))
    await send({"type": "http.response.start", "status": error.status, "headers": headers})
    await send({"type": "http.response.body", "body": body})

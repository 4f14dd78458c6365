"""One call along its model's routes: each is tried a few times, then the next, until the first byte is there.

What was begun is not begun anew: a client that has seen a part of one reply must not get the rest of another.
"""

import asyncio
import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import TypeVar
from urllib.parse import quote

from megallm.catalog.models import Model, Route
from megallm.errors import GatewayError, InvalidRequest, UpstreamFailed, UpstreamMisconfigured
from megallm.messages.adaptations import HEADER, header_value
from megallm.messages.calls import Adaptation, ApiVersion, Call
from megallm.messages.events import Reply, StreamEvent, Usage, plus
from megallm.messages.requests import MessagesRequest, TokenCountRequest
from megallm.operations.deadline import RouteLimit, RouteTimedOut
from megallm.operations.gateway import Gateway
from megallm.operations.ports import PreparedCall
from megallm.operations.retry import is_upstreams
from megallm.operations.trace import Trace
from megallm.telemetry import log

ROUTE_HEADER = "megallm-route"

_SHOWN_IN_A_HEADER = "".join(map(chr, range(0x21, 0x7F)))

RequestT = TypeVar("RequestT", bound=TokenCountRequest)
ResultT = TypeVar("ResultT")


@dataclass(frozen=True, slots=True)
class Sender:
    """What a request says of itself outside its body.

    ``seconds_left`` is what a Lambda function has, else None; ``headers`` are those of ``CALLER_HEADERS``.
    """

    version: ApiVersion = "2023-06-01"
    betas: tuple[str, ...] = ()
    seconds_left: float | None = None
    headers: tuple[tuple[str, str], ...] = ()


class RoutedCall:
    """A message on its way. ``create`` or ``open`` is called once; *deadline* is a moment of ``time.monotonic``."""

    def __init__(
        self, gateway: Gateway, request: MessagesRequest, sender: Sender, body: bytes, trace: Trace, deadline: float
    ) -> None:
        self._gateway = gateway
        self._request = request
        self._sender = sender
        self._body = body
        self._trace = trace
        self._deadline = deadline
        self._model = gateway.catalog.find(request.model)
        self._at = 0
        self._tried = 0
        self._prepared: PreparedCall | None = None
        self._is_prepared = asyncio.Event()
        self._held = False
        self._limit: RouteLimit | None = None  # of the try that runs
        self._spent: Usage | None = None  # by tries that failed
        self._trying = False
        self._failure: GatewayError | None = None
        trace.model, trace.known_model = request.model, self._model

    @property
    def usage(self) -> Usage | None:
        """What all tries used so far: a try that broke off was generated, and costs, too."""
        trying = None if self._prepared is None or not self._trying else self._prepared.usage
        return plus(self._spent, trying)

    @property
    def headers(self) -> Mapping[str, str]:
        """Which route answers, and what was adapted for it."""
        headers = {ROUTE_HEADER: _in_a_header(self._route.name)}
        if self._prepared is not None and self._prepared.adaptations:
            headers[HEADER] = header_value(self._prepared.adaptations)
        return headers

    async def create(self) -> Reply:
        """The whole reply. Raises GatewayError."""
        return await self._try(lambda prepared: prepared.create(), lambda route: route.whole_reply_seconds)

    async def open(self) -> tuple[StreamEvent, AsyncGenerator[StreamEvent, None]]:
        """The first event, and the others; the generator must be closed. Raises GatewayError."""
        return await self._try(_first_of, lambda route: route.first_byte_seconds)

    async def hold(self) -> None:
        """From now on no other route may answer, since the client is told of this one. Waits until there is one."""
        self._held = True
        if self._limit is not None and not self._limit.lift():
            self._is_prepared.clear()  # the turn to the next route was due before
        await self._is_prepared.wait()

    @property
    def _route(self) -> Route:
        return self._model.routes[self._at]

    @property
    def _is_last(self) -> bool:
        return self._at + 1 == len(self._model.routes)

    async def _try(
        self, send: Callable[[PreparedCall], Awaitable[ResultT]], limit_of: Callable[[Route], float | None]
    ) -> ResultT:
        while True:
            self._tried += 1
            self._trace.route = self._route.name
            began = time.perf_counter()
            try:
                seconds = limit_of(self._route)
                if seconds is None or self._held or self._is_last:
                    return await self._send(send)
                return await self._send_within(seconds, send)
            except GatewayError as error:
                log_failure(self._trace, self._tried, error, began)
                await self._go_on_after(error)

    async def _send(self, send: Callable[[PreparedCall], Awaitable[ResultT]]) -> ResultT:
        if self._prepared is None:
            self._prepared = await self._prepared_for(self._route)
        self._is_prepared.set()
        self._trying = True
        return await send(self._prepared)

    async def _send_within(self, seconds: float, send: Callable[[PreparedCall], Awaitable[ResultT]]) -> ResultT:
        self._limit = RouteLimit(seconds)
        try:
            async with self._limit:
                return await self._send(send)
        finally:
            self._limit = None

    async def _prepared_for(self, route: Route) -> PreparedCall:
        call = call_of(self._request, self._model, route, self._sender, self._body)
        prepared = await self._gateway.providers[route.provider].prepare(call)
        if prepared.adaptations and self._gateway.settings.strict:
            raise _refused(prepared.adaptations[0])
        return prepared

    async def _go_on_after(self, error: GatewayError) -> None:
        """Waits for the next try, or turns to the next route. Raises the error where there is neither."""
        if self._failure is not None and not is_upstreams(error):
            # The first route decides what a request may ask for. One that only stands in for it is passed over.
            self._turn_to_the_next(self._failure)
            return
        if isinstance(error, RouteTimedOut):  # before the client was told of it: that would have lifted the limit
            self._turn_to_the_next(error, even_if_held=True)
            return
        if not is_upstreams(error):
            raise error
        wait = self._gateway.retry.wait(error, self._tried, self._deadline - time.monotonic())
        if wait is None:
            self._turn_to_the_next(error)
        else:
            self._spend()
            await asyncio.sleep(wait)

    def _spend(self) -> None:
        """The try is over: the next one counts anew."""
        self._spent = self.usage
        self._trying = False

    def _turn_to_the_next(self, failure: GatewayError, *, even_if_held: bool = False) -> None:
        if (self._held and not even_if_held) or self._is_last or time.monotonic() >= self._deadline:
            raise failure
        self._spend()
        self._failure = failure
        self._is_prepared.clear()
        self._prepared = None
        self._at += 1
        self._tried = 0


def log_failure(trace: Trace, tried: int, error: GatewayError, began: float) -> None:
    """Why a route did not answer; *began* is a moment of ``time.perf_counter``."""
    if isinstance(error, UpstreamMisconfigured):
        trace.misconfigured += 1
    log(
        "route_failed",
        {
            "request_id": trace.request_id,
            "route": trace.route,
            "try": tried,
            "status": error.status,
            "error_type": error.type,
            "failure": type(error).__name__,
            "upstream_status": error.upstream_status,
            "duration_ms": round((time.perf_counter() - began) * 1000, 2),
        },
    )


@lru_cache  # a catalogue has few routes
def _in_a_header(route: str) -> str:
    return quote(route, safe=_SHOWN_IN_A_HEADER)


def call_of(request: RequestT, model: Model, route: Route, sender: Sender, body: bytes) -> Call[RequestT]:
    """The request as this route's provider gets it."""
    return Call(
        request,
        route.model,
        sender.betas,
        body,
        sender.version,
        route.takes,
        model.context_tokens,
        model.max_output_tokens,
        sender.headers,
    )


async def _first_of(prepared: PreparedCall) -> tuple[StreamEvent, AsyncGenerator[StreamEvent, None]]:
    events = prepared.stream()
    try:
        return await anext(events), events
    except StopAsyncIteration:
        raise UpstreamFailed("The model's reply ended before it began") from None
    except BaseException:
        await events.aclose()
        raise


def _refused(adaptation: Adaptation) -> InvalidRequest:
    return InvalidRequest(
        f"{adaptation.field}: would be {adaptation.change} on this model's route, and strict mode does not allow that",
        param=adaptation.field,
    )

"""The loop: takes invocations one by one, and lets the app answer each of them."""

import asyncio
import json
import os
from collections.abc import Awaitable, Callable, MutableMapping
from dataclasses import dataclass
from typing import Any

from mangum.types import ASGI, LambdaEvent, Receive, Scope, Send
from pydantic_core import from_json

from functions.api.entry import LambdaEntry, unreadable
from functions.api.runtime.client import RuntimeApi
from functions.api.runtime.failures import INCOMPLETE, NO_RESPONSE, UNKNOWN, UNREADABLE, Failure, crash
from functions.api.runtime.invocation import Context, Invocation
from functions.api.runtime.response import StreamedResponse
from megallm.telemetry import log

# What an invocation keeps back of its time, so that a response that its reader does not take still ends in order.
_RESERVE_SECONDS = 0.25
_CLOSE_SECONDS = 0.4  # Lambda gives a stopping function half a second
_TRACE = "_X_AMZN_TRACE_ID"


@dataclass(frozen=True, slots=True)
class Function:
    """What is served: the app behind its entry, and what ends everything that the process holds."""

    entry: LambdaEntry
    aclose: Callable[[], Awaitable[None]]


class Server:
    """Serves one function until it is told to stop."""

    def __init__(self, api: RuntimeApi, function: Function, environ: MutableMapping[str, str] = os.environ) -> None:
        self._api = api
        self._function = function
        self._environ = environ
        self._stopping = False
        self._waiting: asyncio.Task[Any] | None = None  # for an invocation, or for the app

    def stop(self) -> None:
        """Lets ``run`` end: at once where it waits for an invocation, else after the one that is told to end now."""
        self._stopping = True
        if self._waiting is not None:
            self._waiting.cancel()

    async def run(self) -> None:
        """Serves. Raises RuntimeApiFailed where there is no Runtime API any more."""
        try:
            while not self._stopping:
                invocation = await self._next()
                if invocation is not None:
                    await self._handle(invocation)
        finally:
            try:
                async with asyncio.timeout(_CLOSE_SECONDS):
                    await self._function.aclose()
            except TimeoutError:
                log("not_closed", {})

    async def _next(self) -> Invocation | None:
        """None where the loop is to stop instead."""
        waiting = asyncio.create_task(self._api.next())
        self._waiting = waiting
        try:
            return await waiting
        except asyncio.CancelledError:
            if not self._stopping:
                raise
            return None
        finally:
            self._waiting = None

    async def _handle(self, invocation: Invocation) -> None:
        self._trace(invocation.trace_id)
        request = self._read(invocation)
        if isinstance(request, Failure):
            log("unknown_event", {"lambda_request_id": invocation.request_id, "reason": request.type})
            await self._api.error(invocation, request)
            return
        response = StreamedResponse(
            self._api, invocation, request.body, method=request.method, format_version=request.format_version
        )
        left = invocation.seconds_left - _RESERVE_SECONDS
        timer = asyncio.get_running_loop().call_later(max(0.0, left), response.abandon)
        try:
            failure = await self._answer(request, response, invocation)
        finally:
            timer.cancel()
        if response.begun:
            await response.finish(failure or INCOMPLETE)
        else:
            await self._api.error(invocation, failure or NO_RESPONSE)

    async def _answer(self, request: "_Request", response: StreamedResponse, invocation: Invocation) -> Failure | None:
        """Runs the app in a task of its own, which a stop can cancel. What it raised, if it did."""

        async def work() -> None:
            await request.app(request.scope, response.receive, response.send)

        working = asyncio.create_task(work())
        self._waiting = working
        try:
            await asyncio.wait([working])
            if working.cancelled() or (error := working.exception()) is None:
                return None
            if not isinstance(error, Exception):
                raise error
        finally:
            self._waiting = None
        log("crash", {"lambda_request_id": invocation.request_id}, error=error)
        return crash(error)

    def _read(self, invocation: Invocation) -> "_Request | Failure":
        """What the event asks of which app. What is an HTTP request and cannot be read is refused by one of its own."""
        try:
            event = _parse(invocation.event)
        except (ValueError, RecursionError):
            return UNREADABLE
        try:
            handler = self._function.entry.infer(event, Context(invocation, self._environ))
        except Exception:  # noqa: BLE001  Mangum raises for all but HTTP requests, and trips over odd ones
            return UNKNOWN
        format_version = str(event.get("version", "1.0"))
        try:
            scope = handler.scope
            return _Request(self._function.entry.app, scope, handler.body, scope["method"], format_version)
        except Exception as error:  # noqa: BLE001  whatever a lone surrogate or an odd Host sets off
            return _Request(_refusing(error), {}, b"", "", format_version)

    def _trace(self, trace_id: str | None) -> None:
        """Puts the trace where AWS's X-Ray libraries look for it."""
        if trace_id is None:
            self._environ.pop(_TRACE, None)
        else:
            self._environ[_TRACE] = trace_id


@dataclass(frozen=True, slots=True)
class _Request:
    app: ASGI
    scope: Scope
    body: bytes
    method: str
    format_version: str


def _parse(event: bytes) -> LambdaEvent:
    """The event. Raises ValueError or RecursionError."""
    try:
        parsed = from_json(event)
    except ValueError:
        # A lone surrogate is one reason. The slower parser takes it, and the caller gets a proper refusal.
        parsed = json.loads(event)
    if not isinstance(parsed, dict):
        raise ValueError("not an object")  # noqa: TRY004  as the parsers say
    return parsed


def _refusing(error: Exception) -> ASGI:
    answer = unreadable(error)

    async def refuse(scope: Scope, receive: Receive, send: Send) -> None:
        headers = [(name.encode(), value.encode()) for name, value in answer["headers"].items()]
        await send({"type": "http.response.start", "status": answer["statusCode"], "headers": headers})
        await send({"type": "http.response.body", "body": answer["body"].encode()})

    return refuse

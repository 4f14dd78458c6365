"""One request, its reply as a stream of server-sent events that never pretends to have ended well.

A reader task takes the provider's events as they come; the frames leave in whatever groups the
client's speed allows, each as soon as it exists. Silences are filled with pings.
"""

import asyncio
import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from contextlib import aclosing
from dataclasses import dataclass

from megallm.errors import GatewayError, InternalError, UpstreamFailed, UpstreamTimedOut
from megallm.identifiers import new_message_id
from megallm.keys import Caller
from megallm.messages.events import Event, MessageDelta, MessageStart, MessageStop, Usage
from megallm.messages.requests import MessagesRequest
from megallm.messages.sse import PING, encode, encode_error
from megallm.operations.create_message import estimate_input_tokens, timeout_text
from megallm.operations.gateway import Gateway
from megallm.operations.ports import Admission
from megallm.operations.prepare_call import Sender, prepare_call
from megallm.operations.trace import Trace
from megallm.telemetry import log

BACKLOG_BYTES = 1024 * 1024  # what may wait for a slow client before the upstream is not read any further


@dataclass(frozen=True, slots=True)
class Patience:
    """How long silences may last, in seconds (C28, C29)."""

    first_event: float = 10.0
    ping: float = 15.0


@dataclass(frozen=True, slots=True)
class StreamAnswer:
    """The headers, and the frames. ``aclose`` ends the upstream call and settles; it must be called."""

    headers: Mapping[str, str]
    frames: AsyncGenerator[bytes, None]
    aclose: Callable[[], Awaitable[None]]


async def stream_message(
    gateway: Gateway,
    caller: Caller,
    request: MessagesRequest,
    sender: Sender,
    trace: Trace,
    body_bytes: int,
    patience: Patience = Patience(),
) -> StreamAnswer:
    """The stream, once its first event is there or *patience* has run out.

    Raises GatewayError where the upstream fails before that, so that it becomes a real status.
    """
    ready = prepare_call(gateway, request, sender, trace)
    estimate = estimate_input_tokens(body_bytes)
    admission = await gateway.limiter.admit(caller, estimate)
    trace.message_id = new_message_id()
    reader = _Reader(ready.prepared.stream(), admission, trace, request.model, gateway)
    try:
        await reader.first_event(patience.first_event, estimate)
    except BaseException:
        await reader.aclose()
        raise
    return StreamAnswer({**ready.headers, **admission.headers}, reader.frames(patience.ping), reader.aclose)


class _Reader:
    """Reads one upstream stream in a task of its own; knows what is ready, and how it ended."""

    def __init__(
        self,
        events: AsyncGenerator[Event, None],
        admission: Admission,
        trace: Trace,
        model: str,
        gateway: Gateway,
    ) -> None:
        self._events = events
        self._admission = admission
        self._trace = trace
        self._model = model
        self._gateway = gateway
        self._message_id = trace.message_id or ""
        self._ready: list[bytes] = []
        self._ready_bytes = 0
        self._changed = asyncio.Event()
        self._drained = asyncio.Event()
        self._started = False
        self._failure: GatewayError | None = None
        self._task = asyncio.get_running_loop().create_task(self._read())

    async def first_event(self, seconds: float, estimated_input_tokens: int) -> None:
        """Waits for the first event; after *seconds* the message is begun without it. Raises GatewayError."""
        if not await self._wait(seconds):
            self._put(MessageStart(Usage(input_tokens=estimated_input_tokens)))
            self._started = True
        elif self._failure is not None and not self._started:
            raise self._failure

    async def frames(self, ping_seconds: float) -> AsyncGenerator[bytes, None]:
        """All frames, several in one piece where they were ready together; an error frame if it came to that."""
        while True:
            if self._ready:
                piece = b"".join(self._ready)
                self._ready.clear()
                self._ready_bytes = 0
                self._drained.set()
                yield piece
            elif self._task.done():
                break
            elif not await self._wait(ping_seconds):
                yield PING
        if self._failure is not None:
            yield encode_error(self._failure, self._trace.request_id)

    async def aclose(self) -> None:
        """Ends the upstream call, if it still runs, and waits until it is settled."""
        self._task.cancel()
        await asyncio.wait([self._task])

    async def _wait(self, seconds: float) -> bool:
        """Until something changes, or False after *seconds*."""
        if not self._ready and not self._task.done():
            self._changed.clear()
            try:
                async with asyncio.timeout(seconds):
                    await self._changed.wait()
            except TimeoutError:
                return False
        return True

    def _put(self, event: Event) -> None:
        frame = encode(event, self._message_id, self._model)
        self._ready.append(frame)
        self._ready_bytes += len(frame)
        self._changed.set()

    async def _read(self) -> None:
        began = time.perf_counter()
        try:
            async with asyncio.timeout(self._gateway.settings.upstream_timeout_seconds), aclosing(self._events):
                await self._read_events(began)
        except GatewayError as error:
            self._failure = error
        except TimeoutError:
            self._failure = UpstreamTimedOut(timeout_text(self._gateway))
        except Exception as error:  # noqa: BLE001  the response has begun: only this task can still tell
            log("crash", {"request_id": self._trace.request_id}, error=error)
            self._failure = InternalError("The gateway failed; the request id finds the reason in its log")
        finally:
            trace = self._trace
            trace.upstream_ms = (time.perf_counter() - began) * 1000
            trace.error_type = self._failure.type if self._failure else None
            # A callback, since the task is not done before this block ends.
            self._task.add_done_callback(lambda _: self._changed.set())
            await self._admission.settle(trace.usage)

    async def _read_events(self, began: float) -> None:
        whole = False
        async for event in self._events:
            match event:
                case MessageStart():
                    self._trace.first_event_ms = (time.perf_counter() - began) * 1000
                    self._trace.usage = event.usage
                    if self._started:
                        continue  # the client has waited too long and got one already
                    self._started = True
                case MessageDelta():
                    self._trace.usage, self._trace.stop_reason = event.usage, event.stop_reason
                case MessageStop():
                    whole = True
                case _:
                    pass
            self._put(event)
            while self._ready_bytes > BACKLOG_BYTES:
                self._drained.clear()
                await self._drained.wait()
        if not whole:
            raise UpstreamFailed("The model's reply broke off before it was whole")

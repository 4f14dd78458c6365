"""One request, its reply as a stream of server-sent events that never pretends to have ended well.

A reader task takes the provider's events as they come; the frames leave in whatever groups the
client's speed allows, each as soon as it exists. Silences are filled with pings.
"""

import asyncio
import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from contextlib import aclosing
from dataclasses import dataclass, replace

from megallm.errors import GatewayError, InternalError, UpstreamFailed
from megallm.identifiers import new_message_id
from megallm.keys import Caller
from megallm.messages.events import (
    InputJsonDelta,
    MessageDelta,
    MessageStart,
    MessageStop,
    Relayed,
    StreamEvent,
    TextDelta,
    ThinkingDelta,
    Usage,
)
from megallm.messages.requests import MessagesRequest
from megallm.messages.sse import PING, encode, encode_error
from megallm.operations.check_request import check_request
from megallm.operations.deadline import Deadline, seconds_for
from megallm.operations.gateway import Gateway
from megallm.operations.ports import Admission
from megallm.operations.reserve_tokens import reserved_tokens
from megallm.operations.route_call import RoutedCall, Sender
from megallm.operations.settle import charged, settle_to_the_end
from megallm.operations.trace import Trace
from megallm.telemetry import log

_DELTA = b"event: content_block_delta"
_BROKEN_OFF = "The model's reply broke off before it was whole"
BACKLOG_BYTES = 1024 * 1024  # what may wait for a slow client before the upstream is not read any further


@dataclass(frozen=True, slots=True)
class Patience:
    """How long silences may last, in seconds (C28, C29)."""

    first_event: float = 10.0
    ping: float = 15.0


@dataclass(frozen=True, slots=True)
class StreamAnswer:
    """The headers, and the frames.

    ``delivered`` tells whether the frames so far are a whole message. ``aclose`` ends the upstream call and settles;
    it must be called.
    """

    headers: Mapping[str, str]
    frames: AsyncGenerator[bytes, None]
    delivered: Callable[[], bool]
    aclose: Callable[[], Awaitable[None]]


async def stream_message(
    gateway: Gateway,
    caller: Caller,
    request: MessagesRequest,
    sender: Sender,
    trace: Trace,
    body: bytes,
    patience: Patience = Patience(),
) -> StreamAnswer:
    """The stream, once its first event is there or *patience* has run out.

    Raises GatewayError where the upstream fails before that, so that it becomes a real status.
    """
    check_request(gateway, request, sender)
    seconds = seconds_for(gateway, sender.seconds_left)
    call = RoutedCall(gateway, request, sender, body, trace, time.monotonic() + seconds)
    estimate = reserved_tokens(request, body)
    limit = Deadline(seconds)  # begins here: what it takes to be let in is not there for the upstream
    async with Deadline(seconds):
        admission = await gateway.limiter.admit(caller, estimate)
    trace.message_id = new_message_id()
    reader = _Reader(call, admission, trace, request.model, limit, estimate)
    try:
        await reader.first_event(patience.first_event)
    except BaseException as error:
        await reader.aclose()
        if isinstance(error, GatewayError):
            error.headers = {**admission.headers, **error.headers}
        raise
    return StreamAnswer(
        {**call.headers, **admission.headers}, reader.frames(patience.ping), lambda: reader.delivered, reader.aclose
    )


class _Reader:
    """Reads one upstream stream in a task of its own; knows what is ready, and how it ended."""

    def __init__(
        self,
        call: RoutedCall,
        admission: Admission,
        trace: Trace,
        model: str,
        limit: Deadline,
        estimated_input_tokens: int,
    ) -> None:
        self._call = call
        self._admission = admission
        self._trace = trace
        self._model = model
        self._limit = limit
        self._estimate = estimated_input_tokens
        self._message_id = trace.message_id or ""
        self._ready: list[bytes] = []
        self._ready_bytes = 0
        self._changed = asyncio.Event()
        self._drained = asyncio.Event()
        self._started = self._whole = self._closing = False
        self.delivered = False
        self._failure: GatewayError | None = None
        self._task = asyncio.get_running_loop().create_task(self._read())

    async def first_event(self, seconds: float) -> None:
        """Waits for the first event; after *seconds* the message is begun without it. Raises GatewayError."""
        # The upstream may begin while the route is asked for.
        if not await self._wait(seconds) and await self._route_is_known() and not self._started:
            self._put(MessageStart(Usage(input_tokens=self._estimate)))
            self._started = True
        elif self._failure is not None and not self._started:
            raise self._failure

    async def _route_is_known(self) -> bool:
        """Waits until a route is being tried, which the headers can name; False where the call failed before."""
        holding = asyncio.ensure_future(self._call.hold())
        await asyncio.wait([holding, self._task], return_when=asyncio.FIRST_COMPLETED)
        return not holding.cancel()

    async def frames(self, ping_seconds: float) -> AsyncGenerator[bytes, None]:
        """All frames, several in one piece where they were ready together; an error frame if it came to that."""
        while True:
            if self._ready:
                piece = b"".join(self._ready)
                self._ready.clear()
                self._ready_bytes = 0
                self._drained.set()
                self.delivered = self._whole
                yield piece
            elif self._task.done():
                break
            elif not await self._wait(ping_seconds):
                yield PING
        if self._failure is not None and not self._whole:  # nothing can spoil what message_stop has ended (C25)
            yield encode_error(self._failure, self._trace.request_id)

    async def aclose(self) -> None:
        """Ends the upstream call, if it still runs, and waits until it is settled."""
        self._closing = True
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

    def _put(self, event: StreamEvent) -> None:
        frame = encode(event, self._message_id, self._model)
        self._ready.append(frame)
        self._ready_bytes += len(frame)
        self._changed.set()

    async def _read(self) -> None:
        began = time.perf_counter()
        trace = self._trace
        try:
            async with self._limit:
                first, others = await self._call.open()
                async with aclosing(others):
                    self._take(first, began)
                    shown = False
                    async for event in others:
                        self._take(event, began)
                        if trace.first_token_at is None and _is_token(event):
                            trace.first_token_at = time.perf_counter()
                        if not shown and isinstance(event, TextDelta | ThinkingDelta | Relayed):
                            shown = True  # it leaves before what may have come with it is worked on
                            await asyncio.sleep(0)
                        while self._ready_bytes > BACKLOG_BYTES:
                            self._drained.clear()
                            await self._drained.wait()
            if not self._whole:
                raise UpstreamFailed(_BROKEN_OFF)  # noqa: TRY301  it is told like every other failure
        except GatewayError as error:
            self._failure = error
        except asyncio.CancelledError:
            # If we are not the ones who cancel, the provider is: a stream must not look whole that is not.
            if not self._closing:
                self._failure = UpstreamFailed(_BROKEN_OFF)
            raise
        except Exception as error:  # noqa: BLE001  the response has begun: only this task can still tell
            log("crash", {"request_id": trace.request_id}, error=error)
            self._failure = InternalError("The gateway failed; the request id finds the reason in its log")
        finally:
            trace.upstream_ms = (time.perf_counter() - began) * 1000
            trace.usage = self._call.usage
            if self._failure is not None and not self._whole:
                trace.failed(self._failure)
            # A callback, since the task is not done before this block ends.
            self._task.add_done_callback(lambda _: self._changed.set())
            await settle_to_the_end(self._admission, charged(trace.usage, self._failure), trace.prices)

    def _take(self, event: StreamEvent, began: float) -> None:
        match event:
            case MessageStart():
                self._trace.first_event_ms = (time.perf_counter() - began) * 1000
                if self._started:
                    return  # the client has waited too long and got one already
                self._started = True
                if event.usage.prompt_tokens == 0:  # clients reckon with some (C25); the true figure comes last
                    event = replace(event, usage=replace(event.usage, input_tokens=self._estimate))
            case MessageDelta():
                self._trace.stop_reason = event.stop_reason
            case MessageStop():
                self._whole = True
            case _:
                pass
        self._put(event)


def _is_token(event: StreamEvent) -> bool:
    """Whether the event has a piece of the reply's content."""
    if isinstance(event, Relayed):
        return event.frame.startswith(_DELTA)
    return isinstance(event, TextDelta | ThinkingDelta | InputJsonDelta)

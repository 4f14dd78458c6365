"""One request, its reply as a stream that never pretends to have ended well."""

import asyncio
from collections.abc import Awaitable, Callable

import pytest
from pydantic_core import from_json

from megallm.errors import InternalError, UpstreamFailed, UpstreamOverloaded, UpstreamTimedOut
from megallm.keys import Caller
from megallm.messages.calls import Call
from megallm.messages.events import Event, MessageStart, TextDelta, Usage
from megallm.messages.requests import MessagesRequest
from megallm.messages.sse import PING, SseDecoder, encode
from megallm.operations import stream_message as module
from megallm.operations.ports import PreparedCall
from megallm.operations.route_call import Sender
from megallm.operations.stream_message import Patience, StreamAnswer, stream_message
from megallm.operations.trace import Trace
from megallm.settings import Settings
from tests.fakes import Cancelled, Pause, RecordingLimiter, ScriptedProvider, Step, gateway, text_reply
from tests.limits.simulated_time import SimulatedTime, simulated

BODY = b" " * 100
CALLER = Caller("abcdefgh", "basic")
REQUEST = MessagesRequest.model_validate(
    {"model": "claude-test", "max_tokens": 5, "stream": True, "messages": [{"role": "user", "content": "hi"}]}
)
USAGE = Usage(input_tokens=7, output_tokens=3)


class Stream:
    """A stream over a script, with what the operation leaves behind."""

    def __init__(
        self,
        provider: ScriptedProvider,
        *,
        patience: Patience | None = None,
        settings: Settings | None = None,
        limiter: RecordingLimiter | None = None,
    ) -> None:
        self.provider = provider
        self.limiter = limiter or RecordingLimiter()
        self.trace = Trace("req_1")
        self._gateway = gateway(provider, settings=settings, limiter=self.limiter)
        self._patience = patience or Patience()

    async def open(self) -> StreamAnswer:
        return await stream_message(self._gateway, CALLER, REQUEST, Sender(), self.trace, BODY, patience=self._patience)

    async def read(self) -> bytes:
        answer = await self.open()
        try:
            return b"".join([piece async for piece in answer.frames])
        finally:
            await answer.aclose()

    def frames(self, events: list[Event]) -> bytes:
        return b"".join(encode(event, self.trace.message_id or "", "claude-test") for event in events)


class SlowToPrepare(ScriptedProvider):
    """Prepares a call only when it is let."""

    def __init__(self, script: list[Event]) -> None:
        super().__init__(script)
        self.asked, self.let = asyncio.Event(), asyncio.Event()

    async def prepare(self, call: Call[MessagesRequest]) -> PreparedCall:
        self.asked.set()
        await self.let.wait()
        return await super().prepare(call)


def run(work: Callable[[], Awaitable[None]]) -> None:
    async def bounded() -> None:
        async with asyncio.timeout(60):
            await work()

    asyncio.run(bounded())


def test_a_stream_is_the_events_as_frames() -> None:
    """All of them, in order, then it ends; the usage is settled."""
    stream = Stream(ScriptedProvider(text_reply("a", "b")))

    body = asyncio.run(stream.read())

    assert body == stream.frames(text_reply("a", "b"))
    assert stream.limiter.settled == [USAGE]
    assert (stream.trace.usage, stream.trace.stop_reason, stream.trace.error_type) == (USAGE, "end_turn", None)


def test_each_event_leaves_before_the_next_is_made() -> None:
    """While the upstream pauses, everything before the pause has arrived."""
    pause = Pause()
    start, block, *rest = text_reply("a", "b")
    stream = Stream(ScriptedProvider([start, block, pause, *rest]))

    async def work() -> None:
        answer = await stream.open()
        received = b""
        wanted = stream.frames([start, block])

        while received != wanted:
            received += await anext(answer.frames)
        assert not pause.released.is_set()
        pause.released.set()
        received += b"".join([piece async for piece in answer.frames])

        assert received == stream.frames(text_reply("a", "b"))
        await answer.aclose()

    run(work)


def test_the_first_text_leaves_before_what_came_with_it_is_worked_on() -> None:
    """An upstream's first packet may hold a whole reply: its reader sees the first word as soon as it is there."""
    stream = Stream(ScriptedProvider(text_reply("a", "b", "c")))

    async def pieces() -> list[bytes]:
        answer = await stream.open()
        try:
            return [piece async for piece in answer.frames]
        finally:
            await answer.aclose()

    first, others = text_reply("a", "b", "c")[:3], text_reply("a", "b", "c")[3:]
    assert asyncio.run(pieces()) == [stream.frames(first), stream.frames(others)]


def test_a_failure_before_the_first_event_is_raised() -> None:
    """It becomes a real status (C28); it is settled."""
    stream = Stream(ScriptedProvider([UpstreamOverloaded("full")]))

    with pytest.raises(UpstreamOverloaded):
        asyncio.run(stream.read())

    assert (stream.limiter.settled, stream.provider.running) == ([Usage()], 0)


@pytest.mark.parametrize(
    ("failure", "error"),
    [
        (UpstreamOverloaded("full"), {"type": "overloaded_error", "message": "full"}),
        (
            RuntimeError("secret"),
            {"type": "api_error", "message": "The gateway failed; the request id finds the reason in its log"},
        ),
    ],
)
def test_a_failure_in_the_middle_is_an_error_frame_and_then_nothing(failure: Exception, error: dict[str, str]) -> None:
    """Never an invented end_turn (C28)."""
    start, block, delta, *_ = text_reply("a")
    stream = Stream(ScriptedProvider([start, block, delta, failure]))

    body = asyncio.run(stream.read())

    begun = stream.frames([start, block, delta])
    (event,) = SseDecoder().feed(body.removeprefix(begun))
    assert body.startswith(begun)
    assert (event.event, from_json(event.data)) == (
        "error",
        {"type": "error", "error": error, "request_id": "req_1"},
    )
    assert stream.trace.error_type == error["type"]


def test_a_cancellation_inside_the_provider_is_a_failure_too() -> None:
    """Whoever cancelled what the provider waits for: the stream must not look whole (C28)."""
    start, block, delta, *_ = text_reply("a")
    stream = Stream(ScriptedProvider([start, block, delta, Cancelled()]))

    body = asyncio.run(stream.read())

    assert body.startswith(stream.frames([start, block, delta]) + b"event: error\n")


def test_a_stream_without_input_tokens_begins_with_the_estimate() -> None:
    """message_start never says zero (C25)."""
    _, *rest = text_reply("a")
    stream = Stream(ScriptedProvider([MessageStart(Usage()), *rest]))

    body = asyncio.run(stream.read())

    assert body == stream.frames([MessageStart(Usage(input_tokens=25)), *rest])


def test_a_providers_own_timeout_is_not_the_deadline() -> None:
    """It is a fault of ours, and does not claim that ten minutes have passed."""
    stream = Stream(ScriptedProvider([TimeoutError()]))

    with pytest.raises(InternalError):
        asyncio.run(stream.read())


@pytest.mark.parametrize("late", [UpstreamFailed("late"), Cancelled()])
def test_what_fails_after_the_end_is_no_error_of_the_reply(late: Step) -> None:
    """Nothing follows message_stop (C25), and the log does not call the reply failed."""
    stream = Stream(ScriptedProvider([*text_reply("a"), late]))

    body = asyncio.run(stream.read())

    assert (body, stream.trace.error_type) == (stream.frames(text_reply("a")), None)


@pytest.mark.parametrize("after", [[], [Pause()]], ids=["ended", "lingers"])
def test_closing_right_after_the_end_still_settles(after: list[Step]) -> None:
    """SDKs close a stream when they have read message_stop: the settlement is not cut short, nor is it a failure."""
    stream = Stream(ScriptedProvider([*text_reply("a"), *after]))

    async def work() -> None:
        answer = await stream.open()
        async for _ in answer.frames:
            if answer.delivered():
                break
        await answer.aclose()

    run(work)

    assert (stream.limiter.settled, stream.trace.error_type) == ([USAGE], None)


def test_a_stream_cut_off_anywhere_ends_in_an_error() -> None:
    """An upstream that ends early is a failure wherever it happens."""
    events = text_reply("a", "b")
    for length in range(1, len(events)):
        stream = Stream(ScriptedProvider([*events[:length]]))

        body = asyncio.run(stream.read())

        assert body.startswith(stream.frames(events[:length]) + b"event: error\n")


def test_an_upstream_that_sends_nothing_at_all_is_an_error() -> None:
    """Before the first event, so it is a status."""
    stream = Stream(ScriptedProvider(lambda _: []))

    with pytest.raises(UpstreamFailed):
        asyncio.run(stream.read())


def test_a_long_silence_at_the_start_begins_the_message_with_an_estimate() -> None:
    """The 200, message_start and pings go out; the late message_start of the upstream does not (C28, C29)."""
    pause = Pause()
    _, *rest = text_reply("a")
    stream = Stream(ScriptedProvider([pause, *text_reply("a")]), patience=Patience(first_event=0.01, ping=0.01))

    async def work() -> None:
        answer = await stream.open()
        first, second = await anext(answer.frames), await anext(answer.frames)
        pause.released.set()
        last = b"".join([piece async for piece in answer.frames]).replace(PING, b"")

        assert (first, second) == (stream.frames([MessageStart(Usage(input_tokens=25))]), PING)
        assert last == stream.frames(rest)
        await answer.aclose()

    run(work)


def test_a_failure_after_a_long_silence_is_an_error_frame() -> None:
    """The status has gone."""
    pause = Pause()
    stream = Stream(ScriptedProvider([pause, UpstreamFailed("broken")]), patience=Patience(first_event=0.01))

    async def work() -> None:
        answer = await stream.open()
        pause.released.set()
        body = b"".join([piece async for piece in answer.frames])

        assert b"event: error\n" in body
        await answer.aclose()

    run(work)


@pytest.mark.parametrize("started", [True, False])
def test_closing_ends_the_upstream_call_and_settles(started: bool) -> None:
    """Also when nobody has read a frame yet (C30)."""
    pause = Pause()
    start, *_ = text_reply("a")
    stream = Stream(ScriptedProvider([start, pause]))

    async def work() -> None:
        answer = await stream.open()
        if started:
            await anext(answer.frames)
        await pause.reached.wait()
        await answer.aclose()

    run(work)

    assert (stream.provider.cancelled, stream.provider.running) == (1, 0)
    assert (stream.limiter.settled, stream.trace.error_type) == ([Usage(input_tokens=7)], None)


def test_cancelling_before_the_first_event_ends_the_upstream_call() -> None:
    """The client goes away while it waits (C30)."""
    pause = Pause()
    stream = Stream(ScriptedProvider([pause]))

    async def work() -> None:
        task = asyncio.create_task(stream.open())
        await pause.reached.wait()
        task.cancel()
        await asyncio.wait([task])

    run(work)

    assert (stream.provider.cancelled, stream.provider.running, stream.limiter.settled) == (1, 0, [None])


def test_a_stream_that_takes_too_long_ends_in_a_timeout_error() -> None:
    """The whole call has a limit, however lively it is."""
    start, *_ = text_reply("a")
    stream = Stream(ScriptedProvider([start, Pause()]), settings=Settings(upstream_timeout_seconds=0.05))

    body = asyncio.run(stream.read())

    assert b'"type":"timeout_error"' in body
    assert stream.provider.cancelled == 1


@pytest.mark.parametrize(("admitting", "calls"), [(0.3, 1), (60.0, 0)])
def test_the_time_it_takes_to_be_let_in_is_not_there_for_the_upstream(admitting: float, calls: int) -> None:
    """The whole has one deadline, which holds while it waits to be let in, too."""

    class Slow(RecordingLimiter):
        async def admit(self, caller: Caller, estimated_input_tokens: int) -> RecordingLimiter:
            await asyncio.sleep(admitting)
            return await super().admit(caller, estimated_input_tokens)

    provider = ScriptedProvider([Pause()])
    stream = Stream(provider, settings=Settings(upstream_timeout_seconds=0.4), limiter=Slow())
    time = SimulatedTime()

    with pytest.raises(UpstreamTimedOut):
        simulated(stream.read(), time)

    assert time.seconds == pytest.approx(0.4)
    assert (len(provider.calls), stream.limiter.settled) == (calls, [None] * calls)


def test_a_slow_client_stops_the_upstream_from_being_read() -> None:
    """What waits for the client is bounded."""
    start, block, *_ = text_reply("a")
    deltas = [TextDelta(0, "x" * 1000)] * 5000
    stream = Stream(ScriptedProvider([start, block, *deltas, *text_reply("a")[3:]]))

    async def work() -> None:
        answer = await stream.open()
        for _ in range(50):
            await asyncio.sleep(0)
        piece = await anext(answer.frames)
        rest = b"".join([piece async for piece in answer.frames])

        assert len(piece) < module.BACKLOG_BYTES + 2000
        assert len(piece) + len(rest) > 5000 * 1000
        await answer.aclose()

    run(work)


def test_a_message_that_begins_just_as_the_patience_runs_out_is_begun_once() -> None:
    """C25: the upstream's own message_start comes while ours waits for the route that its headers name."""
    provider = SlowToPrepare(text_reply("a", "b"))
    stream = Stream(provider, patience=Patience(first_event=0.01))

    async def work() -> None:
        opening = asyncio.create_task(stream.open())
        await provider.asked.wait()
        await asyncio.sleep(0.05)  # the patience has run out; what it waits for comes together with the reply
        provider.let.set()
        answer = await opening
        body = b"".join([piece async for piece in answer.frames])
        await answer.aclose()

        assert body == stream.frames(text_reply("a", "b"))

    run(work)

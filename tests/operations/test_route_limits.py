"""A route that hangs: the next one is asked after the time that the catalogue gives it."""

import asyncio
import time
from collections.abc import Coroutine, Mapping
from dataclasses import replace
from typing import Any, TypeVar

import pytest

from megallm.catalog.models import Catalog
from megallm.errors import InvalidRequest, UpstreamTimedOut
from megallm.keys import Caller
from megallm.messages.calls import Call
from megallm.messages.events import Usage
from megallm.messages.requests import MessagesRequest, TokenCountRequest
from megallm.operations.count_tokens import count_tokens
from megallm.operations.create_message import create_message
from megallm.operations.gateway import Gateway
from megallm.operations.ports import PreparedCall
from megallm.operations.route_call import RoutedCall, Sender
from megallm.operations.stream_message import Patience, stream_message
from megallm.operations.trace import Trace
from megallm.settings import Settings
from tests.fakes import Pause, RecordingLimiter, ScriptedProvider, routed_gateway, text_reply
from tests.limits.simulated_time import SimulatedTime, simulated

ResultT = TypeVar("ResultT")

CALLER = Caller("abcdefgh", "basic")
REQUEST = MessagesRequest.model_validate(
    {"model": "claude-test", "max_tokens": 5, "messages": [{"role": "user", "content": "hi"}]}
)
QUESTION = TokenCountRequest.model_validate({"model": "claude-test", "messages": [{"role": "user", "content": "x"}]})


def limited(
    providers: Mapping[str, ScriptedProvider],
    *,
    first_byte: float | None = None,
    whole_reply: float | None = None,
    settings: Settings | None = None,
) -> Gateway:
    """A gateway whose routes, all of them, have these limits; each would be tried three times."""
    gateway = routed_gateway(providers, settings=settings, tries=3)
    (model,) = gateway.catalog.models
    routes = tuple(
        replace(route, first_byte_seconds=first_byte, whole_reply_seconds=whole_reply) for route in model.routes
    )
    return replace(gateway, catalog=Catalog([replace(model, routes=routes)], gateway.catalog.upstreams))


def hanging() -> ScriptedProvider:
    return ScriptedProvider([Pause()])


async def streamed(gateway: Gateway, patience: Patience = Patience()) -> tuple[str, bytes]:  # noqa: B008  it is frozen
    """The route that the headers name, and the frames."""
    answer = await stream_message(gateway, CALLER, REQUEST, Sender(), Trace("req_1"), b"{}", patience)
    try:
        return answer.headers["megallm-route"], b"".join([piece async for piece in answer.frames])
    finally:
        await answer.aclose()


def run(work: Coroutine[Any, Any, ResultT]) -> ResultT:
    """In simulated time, so that no moment is missed on a busy machine."""
    return simulated(work, SimulatedTime())


def test_a_stream_that_does_not_begin_is_handed_to_the_next_route() -> None:
    """Once: a route that hangs is not tried again. Its call is ended."""
    first, second = hanging(), ScriptedProvider()

    route, frames = run(streamed(limited({"first": first, "second": second}, first_byte=0.02)))

    assert (route, first.played, first.cancelled, first.running) == ("second/m", 1, 1, 0)
    assert frames.endswith(b'event: message_stop\ndata: {"type":"message_stop"}\n\n')


def test_a_reply_that_does_not_come_is_handed_to_the_next_route() -> None:
    """What is not streamed has a limit of its own, for the whole of it."""
    gateway = limited({"first": hanging(), "second": ScriptedProvider()}, whole_reply=0.02)

    answer = run(create_message(gateway, CALLER, REQUEST, Sender(), Trace("req_1"), b"{}"))

    assert answer.headers["megallm-route"] == "second/m"


def test_the_limit_of_streams_leaves_whole_replies_their_time() -> None:
    """A long reply that is not streamed is silent until it is there."""
    pause = Pause()
    slow = ScriptedProvider([*text_reply("a")[:1], pause, *text_reply("a")[1:]])

    async def ask() -> str:
        asyncio.get_running_loop().call_later(0.05, pause.released.set)
        gateway = limited({"first": slow, "second": ScriptedProvider()}, first_byte=0.01)
        answer = await create_message(gateway, CALLER, REQUEST, Sender(), Trace("req_1"), b"{}")
        return answer.headers["megallm-route"]

    assert run(ask()) == "first/m"


def test_a_stream_that_has_begun_takes_its_time() -> None:
    """The limit is on the first event alone."""
    pause = Pause()
    slow = ScriptedProvider([*text_reply("a")[:1], pause, *text_reply("a")[1:]])

    async def read() -> tuple[str, bytes]:
        asyncio.get_running_loop().call_later(0.05, pause.released.set)
        return await streamed(limited({"first": slow, "second": ScriptedProvider()}, first_byte=0.02))

    route, frames = run(read())

    assert route == "first/m"
    assert b"message_stop" in frames


def test_the_last_route_has_all_the_time_that_is_left() -> None:
    """There is nobody else to ask: the deadline of the whole call ends it."""
    providers = {"first": hanging(), "second": hanging()}
    gateway = limited(providers, whole_reply=0.02, settings=Settings(upstream_timeout_seconds=0.2))
    passed = SimulatedTime()

    with pytest.raises(UpstreamTimedOut, match=r"did not finish within 0\.2 seconds"):
        simulated(create_message(gateway, CALLER, REQUEST, Sender(), Trace("req_1"), b"{}"), passed)

    assert passed.seconds == pytest.approx(0.2)
    assert [provider.played for provider in providers.values()] == [1, 1]


def test_a_route_that_the_client_was_told_of_is_not_left() -> None:
    """The headers name it, and its message has begun."""
    pause = Pause()
    slow = ScriptedProvider([pause, *text_reply("a")])

    async def read() -> tuple[str, bytes]:
        asyncio.get_running_loop().call_later(0.15, pause.released.set)
        gateway = limited({"first": slow, "second": ScriptedProvider()}, first_byte=0.08)
        return await streamed(gateway, Patience(first_event=0.02))

    route, frames = run(read())

    assert route == "first/m"
    assert b"message_stop" in frames


def test_a_limit_that_has_run_out_comes_before_the_word_to_hold() -> None:
    """In the same turn of the loop: the client is told of the second route."""

    async def hold(call: RoutedCall) -> None:
        await asyncio.sleep(0.015)
        await call.hold()

    async def read() -> str:
        gateway = limited({"first": hanging(), "second": ScriptedProvider()}, first_byte=0.02)
        call = RoutedCall(gateway, REQUEST, Sender(), b"{}", Trace("req_1"), time.monotonic() + 9)
        opening, holding = asyncio.create_task(call.open()), asyncio.create_task(hold(call))
        await asyncio.sleep(0)
        time.sleep(0.05)  # noqa: ASYNC251  both timers are due when the loop is back, the limit's last
        await holding
        route = call.headers["megallm-route"]
        _, others = await opening
        await others.aclose()
        return route

    assert asyncio.run(read()) == "second/m"


def test_a_translation_that_hangs_is_left_too() -> None:
    """It may wait for a secret or an image."""

    class Slow(ScriptedProvider):
        async def prepare(self, call: Call[MessagesRequest]) -> PreparedCall:
            await asyncio.sleep(60)
            return await super().prepare(call)

    assert run(streamed(limited({"first": Slow(), "second": ScriptedProvider()}, first_byte=0.02)))[0] == ("second/m")


def test_a_stand_in_that_refuses_leaves_the_timeout_to_be_told() -> None:
    """The request was right for the first route; whoever sent it may send it again."""
    refusing = ScriptedProvider(refusal=InvalidRequest("no images"))

    with pytest.raises(UpstreamTimedOut, match="did not begin to answer in time") as caught:
        run(streamed(limited({"first": hanging(), "second": refusing}, first_byte=0.02)))

    assert caught.value.retryable


def test_what_a_route_used_before_its_limit_is_paid() -> None:
    """C38: it may have generated some."""
    first = ScriptedProvider([*text_reply("a", "b")[:4], Pause()])
    limiter = RecordingLimiter()
    gateway = limited({"first": first, "second": ScriptedProvider()}, whole_reply=0.02)

    run(create_message(replace(gateway, limiter=limiter), CALLER, REQUEST, Sender(), Trace("req_1"), b"{}"))

    assert limiter.settled == [Usage(input_tokens=14, output_tokens=5)]


def test_a_count_that_does_not_come_is_asked_of_the_next_route() -> None:
    """C40: within the limit of a stream's beginning."""

    class Hanging(ScriptedProvider):
        async def count_tokens(self, call: Call[TokenCountRequest]) -> int:
            self.played += 1
            await asyncio.sleep(60)
            return 0

    first = Hanging()
    gateway = limited({"first": first, "second": ScriptedProvider(tokens=9)}, first_byte=0.02)

    assert run(count_tokens(gateway, QUESTION, Sender(), b"{}", Trace("req_1"))) == 9
    assert first.played == 1

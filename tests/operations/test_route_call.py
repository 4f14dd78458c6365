"""A call along its routes: tried again, handed to the next, never begun twice in the client's sight."""

import asyncio
import json
import time
from collections.abc import Mapping
from dataclasses import replace
from io import StringIO

import pytest

from megallm.catalog.models import Catalog
from megallm.errors import (
    GatewayError,
    InvalidRequest,
    RateLimited,
    UpstreamFailed,
    UpstreamMisconfigured,
    UpstreamOverloaded,
)
from megallm.keys import Caller
from megallm.messages.calls import Adaptation, Call
from megallm.messages.events import Usage
from megallm.messages.requests import MessagesRequest, TokenCountRequest
from megallm.operations.count_tokens import count_tokens
from megallm.operations.create_message import Answer, create_message
from megallm.operations.ports import PreparedCall
from megallm.operations.route_call import RoutedCall, Sender
from megallm.operations.stream_message import Patience, stream_message
from megallm.operations.trace import Trace
from megallm.settings import Settings
from tests.fakes import Pause, RecordingLimiter, ScriptedProvider, Step, routed_gateway, text_reply

CALLER = Caller("abcdefgh", "basic")
REQUEST = MessagesRequest.model_validate(
    {"model": "claude-test", "max_tokens": 5, "messages": [{"role": "user", "content": "hi"}]}
)


def create(
    providers: Mapping[str, ScriptedProvider],
    *,
    tries: int = 1,
    settings: Settings | None = None,
    trace: Trace | None = None,
) -> Answer:
    gateway = routed_gateway(providers, settings=settings, tries=tries)
    return asyncio.run(create_message(gateway, CALLER, REQUEST, Sender(), trace or Trace("req_1"), b"{}"))


def test_a_failure_that_may_pass_is_tried_again_on_the_same_route() -> None:
    """Three tries; the third one answers."""
    flaky = ScriptedProvider([UpstreamOverloaded("full")], then=[[UpstreamFailed("broke")], text_reply("Hello")])

    answer = create({"first": flaky, "second": ScriptedProvider()}, tries=3)

    assert answer.headers["megallm-route"] == "first/m"
    assert (flaky.played, len(flaky.calls)) == (3, 1)


@pytest.mark.parametrize(
    ("error", "plays"),
    [
        (UpstreamOverloaded("full"), 2),
        (UpstreamFailed("broke"), 2),
        (RateLimited("slow down"), 2),
        (RateLimited("slow down", headers={"retry-after": "60"}), 1),
        (UpstreamMisconfigured("no key"), 1),
    ],
)
def test_when_a_route_keeps_failing_the_next_one_answers(error: GatewayError, plays: int, lines: StringIO) -> None:
    """The response says which; the log says why the first did not."""
    broken, spare = ScriptedProvider([error]), ScriptedProvider()
    trace = Trace("req_1")

    answer = create({"first": broken, "second": spare}, tries=2, trace=trace)

    assert (answer.headers["megallm-route"], trace.route) == ("second/m", "second/m")
    assert (broken.played, spare.played) == (plays, 1)
    told = [json.loads(line) for line in lines.getvalue().splitlines()]
    assert [(line["event"], line["route"], line["try"], line["failure"]) for line in told] == [
        ("route_failed", "first/m", number, type(error).__name__) for number in range(1, plays + 1)
    ]


def test_what_is_the_callers_fault_is_told_at_once() -> None:
    """Another route would say the same."""
    strict, spare = ScriptedProvider([InvalidRequest("messages: too strange")]), ScriptedProvider()

    with pytest.raises(InvalidRequest, match="too strange"):
        create({"first": strict, "second": spare}, tries=3)

    assert (strict.played, spare.played) == (1, 0)


def test_the_first_route_decides_what_a_request_may_ask_for() -> None:
    """A refusal of its own is no reason to ask another model."""
    refusing, spare = ScriptedProvider(refusal=InvalidRequest("no images")), ScriptedProvider()

    with pytest.raises(InvalidRequest, match="no images"):
        create({"first": refusing, "second": spare})

    assert spare.calls == []


def test_a_stand_in_that_cannot_take_the_request_is_passed_over() -> None:
    """The third route answers."""
    providers = {
        "first": ScriptedProvider([UpstreamFailed("down")]),
        "second": ScriptedProvider(refusal=InvalidRequest("no images")),
        "third": ScriptedProvider(),
    }

    assert create(providers).headers["megallm-route"] == "third/m"


def test_without_a_stand_in_that_can_take_it_the_first_failure_is_told() -> None:
    """The caller asked for something that the model can do: it is not their fault."""
    providers = {
        "first": ScriptedProvider([UpstreamOverloaded("full")]),
        "second": ScriptedProvider(refusal=InvalidRequest("no images")),
    }

    with pytest.raises(UpstreamOverloaded, match="full"):
        create(providers)


def test_strict_mode_passes_over_a_stand_in_that_would_adapt() -> None:
    """C04: nothing is adapted in strict mode, by no route."""
    providers = {
        "first": ScriptedProvider([UpstreamFailed("down")]),
        "second": ScriptedProvider(adaptations=[Adaptation("thinking", "dropped")]),
        "third": ScriptedProvider(),
    }

    assert create(providers, settings=Settings(strict=True)).headers["megallm-route"] == "third/m"


def test_the_adaptations_are_those_of_the_route_that_answered() -> None:
    """Not of the one that failed."""
    providers = {
        "first": ScriptedProvider([UpstreamFailed("down")], adaptations=[Adaptation("top_k", "dropped")]),
        "second": ScriptedProvider(adaptations=[Adaptation("thinking", "dropped")]),
    }

    assert create(providers).headers["megallm-adapted"] == "thinking=dropped"


def test_no_wait_passes_the_deadline() -> None:
    """The error comes while there is time to tell it."""
    busy = ScriptedProvider([RateLimited("slow down", headers={"retry-after": "4"})])

    with pytest.raises(RateLimited):
        create({"first": busy}, tries=3, settings=Settings(upstream_timeout_seconds=2))

    assert busy.played == 1


def test_a_function_that_ends_soon_gives_the_call_less_time() -> None:
    """Its seconds left, less a second for the answer."""
    provider = ScriptedProvider([Pause()])
    work = create_message(
        routed_gateway({"first": provider}), CALLER, REQUEST, Sender(seconds_left=1.05), Trace("req_1"), b"{}"
    )

    with pytest.raises(GatewayError, match=r"within 0\.05"):
        asyncio.run(work)


def stream_of(providers: Mapping[str, ScriptedProvider], tries: int = 1) -> tuple[Mapping[str, str], bytes]:
    async def read() -> tuple[Mapping[str, str], bytes]:
        answer = await stream_message(
            routed_gateway(providers, tries=tries), CALLER, REQUEST, Sender(), Trace("req_1"), b"{}"
        )
        try:
            return answer.headers, b"".join([piece async for piece in answer.frames])
        finally:
            await answer.aclose()

    return asyncio.run(read())


def test_a_stream_that_has_not_begun_is_handed_on() -> None:
    """The client sees one whole stream."""
    broken = ScriptedProvider([UpstreamFailed("down")])

    headers, frames = stream_of({"first": broken, "second": ScriptedProvider(text_reply("Hello"))})

    assert headers["megallm-route"] == "second/m"
    assert frames.count(b"event: message_start") == frames.count(b"event: message_stop") == 1


def test_a_stream_that_has_begun_is_never_begun_anew() -> None:
    """It ends in an error event; no other route is asked."""
    dying, spare = ScriptedProvider([*text_reply("Hel")[:3], UpstreamOverloaded("full")]), ScriptedProvider()

    _, frames = stream_of({"first": dying, "second": spare}, tries=3)

    assert (dying.played, spare.played) == (1, 0)
    assert b"event: error" in frames
    assert b"message_stop" not in frames


def test_a_stream_without_any_event_is_a_failure() -> None:
    """And another route may do better."""
    headers, _ = stream_of({"first": ScriptedProvider(lambda _: []), "second": ScriptedProvider()})

    assert headers["megallm-route"] == "second/m"


def test_once_the_headers_are_out_no_other_route_may_answer() -> None:
    """They name the one that was being asked (C28: after ten seconds the stream begins without a first event)."""

    async def read() -> tuple[Mapping[str, str], bytes]:
        pause = Pause()
        slow = ScriptedProvider([pause, UpstreamOverloaded("full")])
        gateway = routed_gateway({"first": slow, "second": ScriptedProvider()})
        answer = await stream_message(
            gateway, CALLER, REQUEST, Sender(), Trace("req_1"), b"{}", Patience(first_event=0.05)
        )
        pause.released.set()
        try:
            return answer.headers, b"".join([piece async for piece in answer.frames])
        finally:
            await answer.aclose()

    headers, frames = asyncio.run(read())

    assert headers["megallm-route"] == "first/m"
    assert b"overloaded_error" in frames


def test_holding_waits_until_there_is_a_route_to_name() -> None:
    """Its translation may take a while: an image may have to be fetched."""

    async def hold() -> str:
        call = RoutedCall(
            routed_gateway({"first": ScriptedProvider()}),
            REQUEST,
            Sender(),
            b"{}",
            Trace("req_1"),
            time.monotonic() + 9,
        )
        holding = asyncio.create_task(call.hold())
        await asyncio.sleep(0)
        assert not holding.done()
        _, others = await call.open()
        await others.aclose()
        await holding
        return call.headers["megallm-route"]

    assert asyncio.run(hold()) == "first/m"


def test_tokens_are_counted_by_the_first_route_that_can_be_asked() -> None:
    """The next one stands in where it fails."""
    question = TokenCountRequest.model_validate(
        {"model": "claude-test", "messages": [{"role": "user", "content": "x"}]}
    )
    gateway = routed_gateway(
        {"first": ScriptedProvider(tokens=UpstreamFailed("down")), "second": ScriptedProvider(tokens=9)}
    )

    assert asyncio.run(count_tokens(gateway, question, Sender(), b"{}", Trace("req_1"))) == 9


@pytest.mark.parametrize("error", [UpstreamFailed("down"), InvalidRequest("no images")])
def test_a_count_that_no_route_can_give_is_an_error(error: GatewayError) -> None:
    """The last failure, or the caller's fault at once."""
    question = TokenCountRequest.model_validate(
        {"model": "claude-test", "messages": [{"role": "user", "content": "x"}]}
    )
    gateway = routed_gateway({"first": ScriptedProvider(tokens=error)})

    with pytest.raises(type(error)):
        asyncio.run(count_tokens(gateway, question, Sender(), b"{}", Trace("req_1")))


def test_every_try_is_paid_for() -> None:
    """C38: what broke off was generated, too. The client is told of its own reply alone."""
    begun: list[Step] = [*text_reply("a", "b")[:4], UpstreamOverloaded("full")]
    flaky = ScriptedProvider(begun, then=[begun])
    limiter, trace = RecordingLimiter(), Trace("req_1")
    gateway = replace(routed_gateway({"first": flaky, "second": ScriptedProvider()}, tries=2), limiter=limiter)

    answer = asyncio.run(create_message(gateway, CALLER, REQUEST, Sender(), trace, b"{}"))

    assert limiter.settled == [Usage(input_tokens=21, output_tokens=7)]
    usage = answer.message["usage"]
    assert isinstance(usage, dict)
    assert (usage["input_tokens"], usage["output_tokens"]) == (7, 3)


def test_a_stand_in_that_refuses_once_it_is_asked_is_passed_over_too() -> None:
    """Its context may be smaller: that is not what the caller asked for."""
    small = ScriptedProvider([InvalidRequest("prompt is too long: 20 tokens > 10 maximum")])
    failing = {"first": ScriptedProvider([UpstreamOverloaded("full")]), "second": small}

    with pytest.raises(UpstreamOverloaded, match="full"):
        create(failing)
    assert create({**failing, "third": ScriptedProvider()}).headers["megallm-route"] == "third/m"


def test_holding_waits_for_the_second_route_as_for_the_first() -> None:
    """While it is being prepared there is no route to name."""
    preparing = asyncio.Event()

    class Slow(ScriptedProvider):
        async def prepare(self, call: Call[MessagesRequest]) -> PreparedCall:
            preparing.set()
            await asyncio.sleep(0.01)
            return await super().prepare(call)

    async def hold() -> str:
        gateway = routed_gateway({"first": ScriptedProvider([UpstreamFailed("down")]), "second": Slow()})
        call = RoutedCall(gateway, REQUEST, Sender(), b"{}", Trace("req_1"), time.monotonic() + 9)
        opening = asyncio.create_task(call.open())
        await preparing.wait()
        await call.hold()
        assert "second" in call.headers["megallm-route"]
        _, others = await opening
        await others.aclose()
        return call.headers["megallm-route"]

    assert asyncio.run(hold()) == "second/m"


def test_a_route_of_any_name_fits_into_a_header() -> None:
    """Headers hold printable ASCII; the reply was paid for."""
    gateway = routed_gateway({"first": ScriptedProvider()})
    model = gateway.catalog.models[0]
    named = replace(model, routes=(replace(model.routes[0], model="模型 1"),))
    gateway = replace(gateway, catalog=Catalog([named], gateway.catalog.upstreams))

    answer = asyncio.run(create_message(gateway, CALLER, REQUEST, Sender(), Trace("req_1"), b"{}"))

    assert answer.headers["megallm-route"] == "first/%E6%A8%A1%E5%9E%8B%201"


def test_a_count_is_tried_again() -> None:
    """As a message is: an idle connection may have gone (C40)."""

    class Flaky(ScriptedProvider):
        async def count_tokens(self, call: Call[TokenCountRequest]) -> int:
            self.played += 1
            if self.played == 1:
                raise UpstreamFailed("gone")
            return 9

    question = TokenCountRequest.model_validate(
        {"model": "claude-test", "messages": [{"role": "user", "content": "x"}]}
    )

    gateway = routed_gateway({"first": Flaky()}, tries=2)

    assert asyncio.run(count_tokens(gateway, question, Sender(), b"{}", Trace("req_1"))) == 9

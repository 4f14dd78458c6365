"""One request, one whole reply."""

import asyncio
from contextlib import suppress

import pytest

from megallm.errors import InvalidRequest, NotFound, UpstreamFailed, UpstreamOverloaded, UpstreamTimedOut
from megallm.keys import Caller
from megallm.messages.calls import Adaptation
from megallm.messages.events import Usage
from megallm.messages.requests import MessagesRequest
from megallm.operations.create_message import Answer, create_message
from megallm.operations.route_call import Sender
from megallm.operations.trace import Trace
from megallm.settings import Settings
from tests.fakes import Pause, RecordingLimiter, ScriptedProvider, Step, gateway, text_reply
from tests.limits.simulated_time import SimulatedTime, simulated

BODY = b" " * 100
CALLER = Caller("abcdefgh", "basic")


class NeverAdmits(RecordingLimiter):
    """Its table does not answer."""

    async def admit(self, caller: Caller, estimated_input_tokens: int) -> RecordingLimiter:
        await asyncio.Event().wait()
        return await super().admit(caller, estimated_input_tokens)


def request(**fields: object) -> MessagesRequest:
    return MessagesRequest.model_validate(
        {"model": "claude-test", "max_tokens": 5, "messages": [{"role": "user", "content": "hi"}], **fields}
    )


def create(
    provider: ScriptedProvider,
    *,
    limiter: RecordingLimiter | None = None,
    settings: Settings | None = None,
    sender: Sender | None = None,
    trace: Trace | None = None,
    fields: dict[str, object] | None = None,
    time: SimulatedTime | None = None,
) -> Answer:
    return simulated(
        create_message(
            gateway(provider, settings=settings, limiter=limiter),
            CALLER,
            request(**(fields or {})),
            sender or Sender(),
            trace or Trace("req_1"),
            BODY,
        ),
        time or SimulatedTime(),
    )


def test_the_reply_is_the_sdks_message_with_the_models_name_as_sent() -> None:
    """An alias is echoed, both pairs of usage names are there, the route is told."""
    trace = Trace("req_1")

    answer = create(ScriptedProvider(text_reply("Hel", "lo")), limiter=RecordingLimiter(), trace=trace)

    assert answer == Answer(
        {
            "id": trace.message_id,
            "type": "message",
            "role": "assistant",
            "model": "claude-test",
            "content": ({"type": "text", "text": "Hello"},),
            "stop_reason": "end_turn",
            "stop_sequence": None,
            "usage": {
                "input_tokens": 7,
                "cache_creation_input_tokens": 0,
                "cache_read_input_tokens": 0,
                "output_tokens": 3,
                "prompt_tokens": 7,
                "completion_tokens": 3,
                "total_tokens": 10,
            },
        },
        {"megallm-route": "scripted/upstream-model", "limit": "seen"},
    )


def test_adaptations_are_told_in_a_header() -> None:
    """C04."""
    provider = ScriptedProvider(adaptations=[Adaptation("thinking", "dropped")])

    assert create(provider).headers["megallm-adapted"] == "thinking=dropped"


def test_strict_mode_refuses_what_would_be_adapted() -> None:
    """C04; nothing is sent."""
    provider = ScriptedProvider(adaptations=[Adaptation("thinking", "dropped")])

    with pytest.raises(InvalidRequest) as caught:
        create(provider, settings=Settings(strict=True))

    assert caught.value.param == "thinking"
    assert provider.played == 0


@pytest.mark.parametrize("field", ["temperature", "top_p", "top_k"])
def test_strict_mode_refuses_sampling_under_the_new_version(field: str) -> None:
    """As Anthropic does; under the old version it passes (C02)."""
    settings = Settings(strict=True)
    sampling: dict[str, object] = {field: 1}

    with pytest.raises(InvalidRequest) as caught:
        create(ScriptedProvider(), settings=settings, sender=Sender("2026-10-21"), fields=sampling)
    create(ScriptedProvider(), settings=settings, sender=Sender("2023-06-01"), fields=sampling)

    assert (caught.value.message, caught.value.param) == (f"{field}: Extra inputs are not permitted", field)


def test_an_unknown_model_is_not_found() -> None:
    """With the name that was asked for."""
    with pytest.raises(NotFound, match="model: gpt-9"):
        create(ScriptedProvider(), fields={"model": "gpt-9"})


def test_a_thread_is_refused_with_the_code_that_makes_the_sdk_go_on() -> None:
    """C44."""
    with pytest.raises(InvalidRequest) as caught:
        create(ScriptedProvider(), fields={"thread": {"type": "create"}})

    assert caught.value.details == {"error_code": "thread_unsupported_request", "unsupported": ["thread"]}


@pytest.mark.parametrize(
    ("script", "usage"),
    [
        (text_reply("a"), Usage(input_tokens=7, output_tokens=3)),
        ([UpstreamOverloaded("full")], Usage()),
        (text_reply("a")[:2], Usage(input_tokens=7)),
        ([*text_reply("a", "b")[:4], UpstreamOverloaded("full")], Usage(input_tokens=7, output_tokens=2)),
    ],
)
def test_every_exit_settles_once(script: list[Step], usage: Usage | None) -> None:
    """A good end, a refusal, a reply that broke off."""
    limiter = RecordingLimiter()

    with suppress(UpstreamOverloaded, UpstreamFailed):
        create(ScriptedProvider(script), limiter=limiter)

    assert (limiter.admitted, limiter.settled) == ([("abcdefgh", 25)], [usage])


def test_a_call_that_takes_too_long_is_a_timeout() -> None:
    """The upstream call is ended."""
    provider, limiter = ScriptedProvider([Pause()]), RecordingLimiter()

    with pytest.raises(UpstreamTimedOut, match=r"within 0\.05 seconds"):
        create(provider, limiter=limiter, settings=Settings(upstream_timeout_seconds=0.05))

    assert (provider.cancelled, provider.running, limiter.settled) == (1, 0, [None])


def test_the_time_it_takes_to_be_let_in_is_not_there_for_the_upstream() -> None:
    """A function ends when it ends: a slow table must not make it die before it has told its client."""

    class Slow(RecordingLimiter):
        async def admit(self, caller: Caller, estimated_input_tokens: int) -> RecordingLimiter:
            await asyncio.sleep(0.3)
            return await super().admit(caller, estimated_input_tokens)

    limiter, time = Slow(), SimulatedTime()

    with pytest.raises(UpstreamTimedOut, match=r"within 0\.4 seconds"):
        create(ScriptedProvider([Pause()]), limiter=limiter, sender=Sender(seconds_left=1.4), time=time)

    assert time.seconds == pytest.approx(0.4)
    assert limiter.settled == [None]


def test_the_deadline_holds_while_it_waits_to_be_let_in() -> None:
    """Then nothing is asked of the upstream, and nothing is there to be settled."""
    limiter, provider = NeverAdmits(), ScriptedProvider()

    with pytest.raises(UpstreamTimedOut):
        create(provider, limiter=limiter, settings=Settings(upstream_timeout_seconds=0.05))

    assert (provider.calls, limiter.settled) == ([], [])


def test_a_cancellation_during_the_settlement_does_not_cut_it() -> None:
    """The client leaves while the tokens are being charged."""
    limiter = RecordingLimiter()

    async def cancel() -> None:
        work = create_message(
            gateway(ScriptedProvider(), limiter=limiter), CALLER, request(), Sender(), Trace("req_1"), BODY
        )
        task = asyncio.create_task(work)
        await limiter.settling.wait()
        task.cancel()
        await asyncio.wait([task])
        assert task.cancelled()

    asyncio.run(cancel())

    assert limiter.settled == [Usage(input_tokens=7, output_tokens=3)]


def test_cancelling_ends_the_upstream_call_and_settles() -> None:
    """What a client that goes away causes (C30)."""
    pause, limiter = Pause(), RecordingLimiter()
    provider = ScriptedProvider([pause])

    async def cancel() -> None:
        task = asyncio.create_task(
            create_message(gateway(provider, limiter=limiter), CALLER, request(), Sender(), Trace("req_1"), BODY)
        )
        await pause.reached.wait()
        task.cancel()
        await asyncio.wait([task])

    asyncio.run(cancel())

    assert (provider.cancelled, provider.running, limiter.settled) == (1, 0, [None])

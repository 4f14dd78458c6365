"""The provider against a server that speaks Bedrock's wire: what is sent, what comes of the answers."""

from collections.abc import Callable, Mapping
from pathlib import Path

import pytest
from pydantic_core import from_json, to_json

from megallm.errors import (
    GatewayError,
    InvalidRequest,
    RateLimited,
    UpstreamFailed,
    UpstreamMisconfigured,
    UpstreamOverloaded,
)
from megallm.messages.calls import Call
from megallm.messages.events import MessageStop, Reply, StreamEvent, Usage
from megallm.messages.requests import MessagesRequest
from megallm.providers.bedrock.provider import BedrockProvider

from .asking import CLAUDE, NOVA, call_of
from .calling import EVERYTHING, INVOKED, MESSAGE, PIECES, TEXT, answering, claude, collect, run
from .fake_bedrock import Answer, FakeBedrock, Received, is_signed, refusal
from .frames import converse_frames, exception, frame, invoke_frames


@pytest.mark.parametrize(
    ("call", "path"),
    [
        (claude(), f"/model/{CLAUDE}/invoke"),
        (call_of(), f"/model/{NOVA}/converse"),
        (
            claude(model="arn:aws:bedrock:us-west-2:123456789012:application-inference-profile/a1b2"),
            "/model/arn:aws:bedrock:us-west-2:123456789012:application-inference-profile%2Fa1b2/invoke",
        ),
    ],
)
def test_a_whole_reply(call: Call[MessagesRequest], path: str) -> None:
    """By a signed request to the model's own path."""

    async def act(server: FakeBedrock, provider: BedrockProvider) -> tuple[Reply, Usage | None, Usage | None]:
        prepared = await provider.prepare(call)
        assert prepared.adaptations == ()
        before = prepared.usage
        reply = await prepared.create()
        (received,) = server.received
        assert (received.path, is_signed(received)) == (path, True)
        assert received.headers["content-type"] == "application/json"
        return reply, before, prepared.usage

    reply, before, after = run(answering, act)

    assert (reply.content, reply.stop_reason, reply.usage.input_tokens, reply.usage.output_tokens) == (
        TEXT,
        "end_turn",
        9,
        2,
    )
    assert (before, after) == (None, reply.usage)
    assert "amazon-bedrock-guardrailAction" not in (reply.native or {})


@pytest.mark.parametrize(
    ("call", "operation"),
    [(claude(stream=True), "invoke-with-response-stream"), (call_of(stream=True), "converse-stream")],
)
def test_a_stream(call: Call[MessagesRequest], operation: str) -> None:
    """It ends with the reply, and its connection serves the next call."""

    async def act(server: FakeBedrock, provider: BedrockProvider) -> list[StreamEvent]:
        prepared = await provider.prepare(call)
        events = await collect(prepared.stream())
        await collect((await provider.prepare(call)).stream())
        first, second = server.received
        assert (first.path.rpartition("/")[2], is_signed(first), first.peer) == (operation, True, second.peer)
        assert "stream" not in from_json(first.body)
        assert prepared.usage is not None
        assert (prepared.usage.input_tokens, prepared.usage.output_tokens) == (9, 2)
        return events

    events = run(answering, act)

    assert events[-1] == MessageStop()
    assert b"amazon" not in repr(events).encode()


def test_claude_without_a_usage_is_estimated_the_same_streamed_and_whole() -> None:
    """What both calls are charged (contract C31, C38)."""
    start, *blocks, end, last = INVOKED
    untold: list[Mapping[str, object]] = [
        {**start, "message": {**MESSAGE, "content": [], "usage": None}},
        *blocks,
        {**end, "usage": None},
        last,
    ]
    bodies = {"invoke": to_json({**MESSAGE, "usage": None}), "invoke-with-response-stream": invoke_frames(untold)}

    async def act(_: FakeBedrock, provider: BedrockProvider) -> tuple[Usage | None, Usage | None]:
        streamed, whole = await provider.prepare(claude(stream=True)), await provider.prepare(claude())
        await collect(streamed.stream())
        await whole.create()
        return streamed.usage, whole.usage

    streamed, whole = run(lambda received: Answer([bodies[received.path.rpartition("/")[2]]]), act)

    assert whole == streamed
    assert whole is not None
    assert (whole.input_tokens > 10, whole.output_tokens) == (True, 1)


@pytest.mark.parametrize("make", [claude, call_of])
def test_either_way_may_be_tried_again(make: Callable[..., Call[MessagesRequest]]) -> None:
    """A reply that broke off leaves nothing behind in the next."""
    broken = Answer([EVERYTHING["converse-stream"][:90], b""], whole=False)
    answers = iter([broken, refusal("InternalServerException", 500, "x")])

    async def act(server: FakeBedrock, provider: BedrockProvider) -> list[StreamEvent]:
        prepared = await provider.prepare(make())
        for _ in range(2):
            with pytest.raises(UpstreamFailed):
                await collect(prepared.stream())
        events = await collect(prepared.stream())
        assert prepared.usage is not None
        reply = await prepared.create()
        assert prepared.usage == reply.usage
        return events

    events = run(lambda received: next(answers, None) or answering(received), act)

    assert (type(events[0]).__name__, events[-1]) == ("MessageStart", MessageStop())


@pytest.mark.parametrize("make", [claude, call_of])
@pytest.mark.parametrize("streamed", [True, False])
@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        (refusal("ThrottlingException", 429, "slow", **{"retry-after": "3"}), RateLimited),
        (refusal("ValidationException", 400, "temperature: too hot"), InvalidRequest),
        (
            refusal("AccessDeniedException", 403, "arn:aws:iam::123456789012:user/x is not authorized"),
            UpstreamMisconfigured,
        ),
        (refusal("ServiceUnavailableException", 503, "x"), UpstreamOverloaded),
        (Answer([b"<html>Bad Gateway</html>"], 502), UpstreamFailed),
        (Answer([b"<html>All is well</html>"]), UpstreamFailed),
        (Answer([b"[]"]), UpstreamFailed),
        (Answer([]), UpstreamFailed),
        (Answer([b"{"], whole=False), UpstreamFailed),
        (Answer([b'{"amazon-bedrock-x":']), UpstreamFailed),
    ],
)
def test_refusals_and_rubbish(
    make: Callable[..., Call[MessagesRequest]], streamed: bool, answer: Answer, kind: type[GatewayError]
) -> None:
    """Each is an error of our tree, whose text tells nothing of the account."""

    async def act(server: FakeBedrock, provider: BedrockProvider) -> GatewayError:
        prepared = await provider.prepare(make())
        with pytest.raises(GatewayError) as caught:
            await (collect(prepared.stream()) if streamed else prepared.create())
        return caught.value

    error = run(lambda received: answer, act)

    assert type(error) is kind
    assert "123456789012" not in error.message


@pytest.mark.parametrize("make", [claude, call_of])
@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("throttlingException", RateLimited),
        ("modelStreamErrorException", UpstreamFailed),
        ("serviceUnavailableException", UpstreamOverloaded),
    ],
)
def test_an_exception_in_the_stream_comes_in_place_of_the_rest(
    make: Callable[..., Call[MessagesRequest]], name: str, kind: type[GatewayError]
) -> None:
    """After the events that came."""
    failing = {
        "invoke-with-response-stream": invoke_frames(INVOKED[:3]),
        "converse-stream": converse_frames(PIECES[:2]),
    }

    async def act(server: FakeBedrock, provider: BedrockProvider) -> int:
        events = (await provider.prepare(make())).stream()
        seen = [await anext(events) for _ in range(3)]
        with pytest.raises(GatewayError) as caught:
            await anext(events)
        assert type(caught.value) is kind
        return len(seen)

    def respond(received: Received) -> Answer:
        return Answer([failing[received.path.rpartition("/")[2]] + exception(name, {"message": "x"})])

    assert run(respond, act) == 3


def test_a_json_answer_that_is_no_object_is_an_error_in_a_stream_too() -> None:
    """An event's payload is one."""

    async def act(server: FakeBedrock, provider: BedrockProvider) -> None:
        with pytest.raises(UpstreamFailed):
            await collect((await provider.prepare(call_of())).stream())

    run(lambda received: Answer([frame({":message-type": "event", ":event-type": "messageStart"}, b"7")]), act)


def test_refused_credentials_are_looked_for_once_more(monkeypatch: pytest.MonkeyPatch, aws_folder: Path) -> None:
    """They may have been replaced; a second refusal is the operator's to mend."""
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    file = aws_folder / "credentials"
    file.write_text("[default]\naws_access_key_id = AKIDOLD\naws_secret_access_key = s\n")

    def respond(received: Received) -> Answer:
        if "AKIDOLD" not in received.headers["authorization"]:
            return answering(received)
        file.write_text("[default]\naws_access_key_id = AKIDNEW\naws_secret_access_key = s\n")
        return refusal("ExpiredTokenException", 403, "The security token included in the request is expired")

    async def act(server: FakeBedrock, provider: BedrockProvider) -> int:
        await (await provider.prepare(claude())).create()
        return len(server.received)

    async def refused(server: FakeBedrock, provider: BedrockProvider) -> int:
        with pytest.raises(UpstreamMisconfigured):
            await (await provider.prepare(claude())).create()
        return len(server.received)

    assert run(respond, act) == 2
    assert run(lambda received: refusal("UnrecognizedClientException", 403, "x"), refused) == 2

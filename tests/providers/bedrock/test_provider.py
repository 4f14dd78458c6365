"""The provider against a server that speaks Bedrock's wire: what is sent, what comes of the answers."""

import asyncio
import threading
from base64 import b64decode
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterator, Mapping
from contextlib import aclosing
from pathlib import Path
from typing import TypeVar

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
from megallm.messages.events import MessageStop, Reply, StreamEvent, TextDelta, Usage
from megallm.messages.requests import MessagesRequest
from megallm.providers.bedrock.provider import BedrockProvider

from .asking import CLAUDE, NOVA, call_of, counted
from .fake_bedrock import KEY_ID, Answer, FakeBedrock, Hold, Received, Respond, bedrock, is_signed, refusal, within
from .frames import Event, converse_frames, exception, frame, invoke_frames

ResultT = TypeVar("ResultT")

MESSAGE: dict[str, object] = {
    "id": "msg_bdrk_1",
    "type": "message",
    "role": "assistant",
    "model": "claude-opus-5-5",
    "content": [{"type": "text", "text": "Hi"}],
    "stop_reason": "end_turn",
    "stop_sequence": None,
    "usage": {"input_tokens": 9, "output_tokens": 2},
}
INVOKED: list[Mapping[str, object]] = [
    {"type": "message_start", "message": {**MESSAGE, "content": [], "usage": {"input_tokens": 9, "output_tokens": 1}}},
    {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}},
    {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "Hi"}},
    {"type": "content_block_stop", "index": 0},
    {
        "type": "message_delta",
        "delta": {"stop_reason": "end_turn", "stop_sequence": None},
        "usage": {"output_tokens": 2},
    },
    {"type": "message_stop", "amazon-bedrock-invocationMetrics": {"inputTokenCount": 9}},
]
TOLD = {"inputTokens": 9, "outputTokens": 2, "totalTokens": 11}
CONVERSED: dict[str, object] = {
    "output": {"message": {"role": "assistant", "content": [{"text": "Hi"}]}},
    "stopReason": "end_turn",
    "usage": TOLD,
    "metrics": {"latencyMs": 7},
}
PIECES: list[Event] = [
    ("messageStart", {"role": "assistant"}),
    ("contentBlockDelta", {"contentBlockIndex": 0, "delta": {"text": "Hi"}}),
    ("contentBlockStop", {"contentBlockIndex": 0}),
    ("messageStop", {"stopReason": "end_turn"}),
    ("metadata", {"usage": TOLD, "metrics": {"latencyMs": 7}}),
]
TEXT = ({"type": "text", "text": "Hi"},)
EVERYTHING = {
    "invoke": to_json({**MESSAGE, "amazon-bedrock-guardrailAction": "NONE"}),
    "invoke-with-response-stream": invoke_frames(INVOKED),
    "converse": to_json(CONVERSED),
    "converse-stream": converse_frames(PIECES),
    "count-tokens": b'{"inputTokens":17}',
}


def answering(received: Received) -> Answer:
    """What a Bedrock does that is well."""
    return Answer([EVERYTHING[received.path.rpartition("/")[2]]])


def run(respond: Respond, act: Callable[[FakeBedrock, BedrockProvider], Awaitable[ResultT]]) -> ResultT:
    """What comes of it."""

    async def main() -> ResultT:
        async with bedrock(respond) as (server, provider):
            return await act(server, provider)

    return asyncio.run(main())


async def collect(events: AsyncGenerator[StreamEvent, None]) -> list[StreamEvent]:
    """All of them."""
    async with aclosing(events):
        return [event async for event in events]


def claude(content: object = "Hello", **more: object) -> Call[MessagesRequest]:
    """A call by InvokeModel."""
    return call_of(content, table="bedrock", **more)  # type: ignore[arg-type]  # fields of any type


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


@pytest.mark.parametrize("make", [claude, call_of])
def test_a_client_that_goes_away_closes_the_upstream_call(make: Callable[..., Call[MessagesRequest]]) -> None:
    """At once, and what was used so far is known (C30)."""
    hold = Hold()
    begun = {
        "invoke-with-response-stream": invoke_frames(INVOKED[:3]),
        "converse-stream": converse_frames(PIECES[:2]),
    }

    async def act(server: FakeBedrock, provider: BedrockProvider) -> Usage | None:
        prepared = await provider.prepare(make())
        events = prepared.stream()
        for _ in range(3):
            await anext(events)
        await within(hold.reached.wait())
        await events.aclose()
        await within(hold.left.wait())
        return prepared.usage

    usage = run(lambda received: Answer([begun[received.path.rpartition("/")[2]], hold]), act)

    assert usage is not None
    assert (usage.input_tokens > 0, usage.output_tokens) == (True, 1)


@pytest.mark.parametrize("make", [claude, call_of])
@pytest.mark.parametrize("streamed", [True, False])
def test_a_cancelled_call_closes_the_upstream_call(make: Callable[..., Call[MessagesRequest]], streamed: bool) -> None:
    """While its answer is waited for."""
    hold = Hold()

    async def act(server: FakeBedrock, provider: BedrockProvider) -> None:
        prepared = await provider.prepare(make())
        task = asyncio.ensure_future(collect(prepared.stream()) if streamed else prepared.create())
        await within(hold.reached.wait())
        task.cancel()
        await asyncio.wait([task])
        await within(hold.left.wait())

    run(lambda received: Answer([hold]), act)


def test_a_stop_sequence_of_several_ends_the_upstream_call() -> None:
    """Whole or streamed: the model would write on (C12)."""
    holds = [Hold(), Hold()]
    said = ("contentBlockDelta", {"contentBlockIndex": 0, "delta": {"text": "one END two"}})
    answers = iter([Answer([converse_frames([PIECES[0], said]), hold]) for hold in holds])

    async def act(server: FakeBedrock, provider: BedrockProvider) -> tuple[Reply, list[StreamEvent]]:
        call = call_of(stop_sequences=["END", "STOP"])
        reply = await (await provider.prepare(call)).create()
        events = await collect((await provider.prepare(call)).stream())
        for hold in holds:
            await within(hold.left.wait())
        return reply, events

    reply, events = run(lambda received: next(answers), act)

    assert (reply.content, reply.stop_reason, reply.stop_sequence) == (
        ({"type": "text", "text": "one "},),
        "stop_sequence",
        "END",
    )
    assert reply.usage.output_tokens == 3
    assert TextDelta(0, "one ") in events


def test_tokens_are_counted_in_a_thread_and_only_where_bedrock_did_not_tell() -> None:
    """The first count of a process takes most of a second, in which no other call may stand still."""
    threads: list[int] = []
    said = ("contentBlockDelta", {"contentBlockIndex": 0, "delta": {"text": "one END two"}})
    hold = Hold()
    answers: Iterator[Respond] = iter([answering, lambda received: Answer([converse_frames([PIECES[0], said]), hold])])

    def count(text: str) -> int:
        threads.append(threading.get_ident())
        return len(text)

    async def main() -> list[Usage | None]:
        async with bedrock(lambda received: next(answers)(received), count_text=count) as (_, provider):
            used: list[Usage | None] = []
            for stops in (["END"], ["END", "STOP"]):
                prepared = await provider.prepare(call_of(stop_sequences=stops))
                await collect(prepared.stream())
                used.append(prepared.usage)
            return used

    told, counted_by_us = asyncio.run(main())

    assert told == Usage(9, 2)
    assert counted_by_us is not None
    assert counted_by_us.output_tokens == len("one END two")
    assert len(threads) == 1
    assert threads[0] != threading.get_ident()


@pytest.mark.parametrize("make", [claude, call_of])
def test_a_server_that_stays_after_the_end_is_left(make: Callable[..., Call[MessagesRequest]]) -> None:
    """The reply is whole; what is said behind it counts for nothing, and only the connection is lost."""
    gap, hold = Hold(), Hold()

    async def act(server: FakeBedrock, provider: BedrockProvider) -> StreamEvent:
        events = []
        async with aclosing((await provider.prepare(make())).stream()) as stream:
            async for event in stream:
                events.append(event)
                if event == MessageStop():
                    gap.released.set()
        await within(hold.left.wait())
        return events[-1]

    assert run(lambda received: Answer([*answering(received).pieces, gap, b"more", hold]), act) == MessageStop()


@pytest.mark.parametrize("make", [claude, call_of])
def test_an_end_that_is_cut_off_after_the_reply_spoils_nothing(make: Callable[..., Call[MessagesRequest]]) -> None:
    """Nothing follows message_stop."""

    async def act(server: FakeBedrock, provider: BedrockProvider) -> StreamEvent:
        return (await collect((await provider.prepare(make())).stream()))[-1]

    assert run(lambda received: Answer(answering(received).pieces, whole=False), act) == MessageStop()


@pytest.mark.parametrize(
    ("call", "question"),
    [
        (
            claude("Hi", system="s"),
            {
                "messages": [{"role": "user", "content": "Hi"}],
                "system": "s",
                "max_tokens": 1,
                "anthropic_version": "bedrock-2023-05-31",
            },
        ),
        (
            call_of("Hi", system="s"),
            {"messages": [{"role": "user", "content": [{"text": "Hi"}]}], "system": [{"text": "s"}]},
        ),
    ],
)
def test_tokens_are_counted_by_bedrock(call: Call[MessagesRequest], question: dict[str, object]) -> None:
    """Of the foundation model: its counter knows no profiles."""

    async def act(server: FakeBedrock, provider: BedrockProvider) -> tuple[int, Received]:
        tokens = await provider.count_tokens(counted(call))
        return tokens, server.received[0]

    tokens, received = run(answering, act)

    base = call.upstream_model.partition(".")[2]
    assert (tokens, received.path, is_signed(received)) == (17, f"/model/{base}/count-tokens", True)
    ((kind, asked),) = from_json(received.body)["input"].items()
    assert (asked if kind == "converse" else from_json(b64decode(asked["body"]))) == question


@pytest.mark.parametrize(
    ("answer", "questions"),
    [
        (refusal("ValidationException", 400, "The provided model doesn't support counting tokens."), 1),
        (refusal("ValidationException", 400, "tools.0.custom.x: Extra inputs are not permitted"), 2),
        (refusal("AccessDeniedException", 403, "not authorized to perform bedrock:CountTokens"), 2),
    ],
)
def test_tokens_are_estimated_where_bedrock_does_not_count(answer: Answer, questions: int) -> None:
    """A model that it does not know at all it is not asked about again."""

    async def act(server: FakeBedrock, provider: BedrockProvider) -> tuple[int, int, int]:
        call = counted(claude("one two three"))
        return await provider.count_tokens(call), await provider.count_tokens(call), len(server.received)

    first, second, asked = run(lambda received: answer, act)

    assert (first, second, asked) == (3 + 4 * 2, 3 + 4 * 2, questions)


def test_behind_an_arn_of_the_accounts_own_nothing_is_counted() -> None:
    """Nobody tells which model it is."""
    arn = "arn:aws:bedrock:us-west-2:123456789012:application-inference-profile/a1b2"

    async def act(server: FakeBedrock, provider: BedrockProvider) -> tuple[int, int]:
        return await provider.count_tokens(counted(claude("one", model=arn))), len(server.received)

    assert run(answering, act) == (1 + 4 * 2, 0)


def test_a_counter_that_fails_is_an_error() -> None:
    """It may answer the next time."""

    async def act(server: FakeBedrock, provider: BedrockProvider) -> None:
        with pytest.raises(UpstreamOverloaded):
            await provider.count_tokens(counted(claude()))

    run(lambda received: refusal("ServiceUnavailableException", 503, "x"), act)


@pytest.mark.parametrize("make", [claude, call_of])
@pytest.mark.parametrize("streamed", [True, False])
@pytest.mark.parametrize(
    ("counter", "context", "told"),
    [
        (Answer([b'{"inputTokens":250000}']), 200_000, "prompt is too long: 250000 tokens > 200000 maximum"),
        (Answer([b'{"inputTokens":100}']), 200_000, "prompt is too long: 200001 tokens > 200000 maximum"),
        (refusal("ThrottlingException", 429, "x"), 5, "prompt is too long: 9 tokens > 5 maximum"),
        (Answer([]), None, "prompt is too long: Input is too long for requested model."),
    ],
)
def test_an_overflow_is_told_in_the_words_that_clients_look_for(
    make: Callable[..., Call[MessagesRequest]], streamed: bool, counter: Answer, context: int | None, told: str
) -> None:
    """With our count of the tokens (C33)."""

    def respond(received: Received) -> Answer:
        if received.path.endswith("/count-tokens"):
            return counter
        return refusal("ValidationException", 400, "Input is too long for requested model.")

    async def act(server: FakeBedrock, provider: BedrockProvider) -> GatewayError:
        prepared = await provider.prepare(make("Hello", context_tokens=context))
        with pytest.raises(GatewayError) as caught:
            await (collect(prepared.stream()) if streamed else prepared.create())
        return caught.value

    error = run(respond, act)

    assert (type(error).status, error.message, error.param) == (400, told, "messages")


def test_an_overflow_that_the_stream_tells_is_told_the_same_way() -> None:
    """Older models find it out after the head."""
    overflow = exception("validationException", {"message": "Input is too long for requested model."})

    async def act(server: FakeBedrock, provider: BedrockProvider) -> str:
        with pytest.raises(InvalidRequest) as caught:
            await collect((await provider.prepare(claude(context_tokens=5))).stream())
        return caught.value.message

    def respond(received: Received) -> Answer:
        return answering(received) if received.path.endswith("count-tokens") else Answer([overflow])

    assert run(respond, act) == "prompt is too long: 17 tokens > 5 maximum"


class OneImage:
    """A web with one image."""

    def __init__(self) -> None:
        self.fetched: list[str] = []

    async def fetch(self, url: str) -> tuple[str, bytes]:
        self.fetched.append(url)
        if "gone" in url:
            raise InvalidRequest("gone", param="url")
        return "image/png", b"png"


def by_url(url: str) -> dict[str, object]:
    """An image somewhere else."""
    return {"type": "image", "source": {"type": "url", "url": url}}


IN_BASE64 = {"type": "base64", "media_type": "image/png", "data": "cG5n"}


@pytest.mark.parametrize("make", [claude, call_of])
def test_images_by_url_are_fetched_where_that_is_allowed(make: Callable[..., Call[MessagesRequest]]) -> None:
    """Each once, wherever it stands but in a tool's input."""
    turns = [
        {"role": "user", "content": [by_url("https://a.invalid/1"), by_url("https://a.invalid/1")]},
        {
            "role": "assistant",
            "content": [
                {"type": "tool_use", "id": "t1", "name": "f", "input": {"content": by_url("https://a.invalid/2")}}
            ],
        },
        {
            "role": "user",
            "content": [{"type": "tool_result", "tool_use_id": "t1", "content": [by_url("https://a.invalid/3")]}],
        },
    ]
    images = OneImage()

    async def main() -> Received:
        async with bedrock(answering, images=images) as (server, provider):
            await (
                await provider.prepare(make(turns, tools=[{"name": "f", "input_schema": {"type": "object"}}]))
            ).create()
            return server.received[0]

    received = asyncio.run(main())

    assert sorted(images.fetched) == ["https://a.invalid/1", "https://a.invalid/3"]
    assert (received.body.count(b'"cG5n"'), received.body.count(b"https://a.invalid/2")) == (3, 1)


@pytest.mark.parametrize("make", [claude, call_of])
def test_images_by_url_are_refused_where_they_are_not_fetched(make: Callable[..., Call[MessagesRequest]]) -> None:
    """By their path; so is one that is not to be had."""

    async def act(images: OneImage | None, url: str) -> str | None:
        async with bedrock(answering, images=images) as (_, provider):
            with pytest.raises(InvalidRequest) as caught:
                await provider.prepare(make([by_url(url)]))
            return caught.value.param

    assert asyncio.run(act(None, "https://a.invalid/1")) == "messages.0.content.0.source"
    assert asyncio.run(act(OneImage(), "https://a.invalid/gone")) == "messages.0.content.0.source"


@pytest.mark.parametrize("make", [claude, call_of])
def test_too_many_images_by_url_are_refused_before_any_is_fetched(make: Callable[..., Call[MessagesRequest]]) -> None:
    """By the path of the first that is too many."""
    images = OneImage()

    async def act() -> str | None:
        async with bedrock(answering, images=images) as (_, provider):
            with pytest.raises(InvalidRequest, match="more than 20 images by URL") as caught:
                await provider.prepare(make([by_url(f"https://a.invalid/{number}") for number in range(22)]))
            return caught.value.param

    assert (asyncio.run(act()), list(images.fetched)) == ("messages.0.content.20.source", [])


def test_a_request_that_only_speaks_of_urls_stays_as_it_is() -> None:
    """Nothing is fetched for it."""
    images = OneImage()

    async def main() -> bytes:
        async with bedrock(answering, images=images) as (server, provider):
            await (await provider.prepare(claude("What is a url?"))).create()
            return server.received[0].body

    assert (b"What is a url?" in asyncio.run(main()), images.fetched) == (True, [])


def test_a_table_may_refuse_images_by_url() -> None:
    """Then none is fetched."""
    images = OneImage()

    async def main() -> str | None:
        async with bedrock(answering, images=images) as (_, provider):
            with pytest.raises(InvalidRequest) as caught:
                await provider.prepare(
                    claude([by_url("https://a.invalid/1")], takes={"blocks": {"image.url": "refuse"}})
                )
            return caught.value.param

    assert (asyncio.run(main()), images.fetched) == ("messages.0.content.0", [])


def test_thinking_is_signed_for_its_route_and_goes_back_to_it() -> None:
    """The whole circle (C15)."""
    thought = {
        **CONVERSED,
        "output": {"message": {"content": [{"reasoningContent": {"reasoningText": {"text": "Hm."}}}, {"text": "Hi"}]}},
    }

    async def act(server: FakeBedrock, provider: BedrockProvider) -> object:
        takes = {"blocks": {"thinking": "pass"}}
        reply = await (await provider.prepare(call_of(takes=takes))).create()
        turns = [
            {"role": "user", "content": "Hello"},
            {"role": "assistant", "content": list(reply.content)},
            {"role": "user", "content": "And?"},
        ]
        await provider.count_tokens(counted(call_of(turns, takes=takes)))
        await (await provider.prepare(call_of(turns, takes=takes))).create()
        return from_json(server.received[-1].body)["messages"][1]["content"]

    def respond(received: Received) -> Answer:
        return answering(received) if received.path.endswith("count-tokens") else Answer([to_json(thought)])

    assert run(respond, act) == [{"reasoningContent": {"reasoningText": {"text": "Hm."}}}, {"text": "Hi"}]


def test_a_model_that_signs_itself_keeps_its_signatures() -> None:
    """Both ways; nobody's secret is asked for."""
    native = {"features": {"native_signatures": True}}
    block = {"reasoningContent": {"reasoningText": {"text": "Hm.", "signature": "theirs"}}}
    thought = {**CONVERSED, "output": {"message": {"content": [block]}}}

    async def act(server: FakeBedrock, provider: BedrockProvider) -> object:
        await provider.count_tokens(counted(call_of(takes=native)))
        return (await (await provider.prepare(call_of(takes=native))).create()).content

    def respond(received: Received) -> Answer:
        return answering(received) if received.path.endswith("count-tokens") else Answer([to_json(thought)])

    assert run(respond, act) == ({"type": "thinking", "thinking": "Hm.", "signature": "theirs"},)


def test_the_keys_are_those_of_the_environment() -> None:
    """The fixture's, and nobody else's."""

    async def act(server: FakeBedrock, provider: BedrockProvider) -> bool:
        await (await provider.prepare(claude())).create()
        return is_signed(server.received[0], KEY_ID) and not is_signed(server.received[0], "AKIDOTHER")

    assert run(answering, act)

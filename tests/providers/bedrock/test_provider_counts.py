"""Tokens as Bedrock counts them, and the overflow that is told with their number (C33, C40)."""

from base64 import b64decode
from collections.abc import Callable

import pytest
from pydantic_core import from_json

from megallm.errors import (
    GatewayError,
    InvalidRequest,
    UpstreamOverloaded,
)
from megallm.messages.calls import Call
from megallm.messages.requests import MessagesRequest
from megallm.providers.bedrock.provider import BedrockProvider

from .asking import call_of, counted
from .calling import answering, claude, collect, run
from .fake_bedrock import Answer, FakeBedrock, Received, is_signed, refusal
from .frames import exception


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

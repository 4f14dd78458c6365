"""The provider against a real HTTP server: what it sends, and what comes whole, as a stream, or once more."""

from megallm.errors import UpstreamMisconfigured
from megallm.messages.events import MessageStart, Usage
from megallm.messages.fold import fold

from .asking import MODEL, call_of
from .chat_server import (
    SPENT,
    TEXT,
    USAGE,
    RotatingKey,
    Upstream,
    completion,
    create,
    failing,
    head_of,
    plays,
    refusal,
    run,
    stream,
    streamed,
)


def test_a_reply_comes_whole() -> None:
    """The request is the translated one, without a word of streaming."""

    async def test(there: Upstream) -> None:
        prepared = await there.provider.prepare(call_of("Hello"))

        before = prepared.usage
        assert await prepared.create() == TEXT
        assert (before, prepared.usage, prepared.adaptations) == (None, SPENT, ())
        assert there.bodies == [
            {"model": MODEL, "messages": [{"role": "user", "content": "Hello"}], "max_completion_tokens": 40}
        ]

    run(test, plays(completion()))


def test_a_reply_comes_as_a_stream() -> None:
    """C31: which folds to the same."""

    async def test(there: Upstream) -> None:
        events = await stream(there)

        assert fold(events) == TEXT
        assert there.bodies == [
            {
                "model": MODEL,
                "messages": [{"role": "user", "content": "Hello"}],
                "max_completion_tokens": 40,
                "stream": True,
                "stream_options": {"include_usage": True},
            }
        ]

    run(test, plays(streamed("Hel", "lo")))


def test_the_request_goes_where_the_settings_say() -> None:
    """Azure's paths, queries and headers; further fields go over ours."""

    async def test(there: Upstream) -> None:
        await create(there, betas=("b-1", "b-2"), takes={"betas": {"*": "pass"}})

        line, headers = head_of(there)
        assert line == "POST /openai/deployments/m-1/chat/completions?api-version=2024-10-21&for=m-1 HTTP/1.1"
        assert (headers["api-key"], headers["x-team"], headers["anthropic-beta"]) == ("key-1", "blue", "b-1,b-2")
        assert (headers["content-type"], "authorization" in headers) == ("application/json", False)
        assert there.bodies[0]["max_completion_tokens"] == 5
        assert there.bodies[0]["data_sources"] == []

    run(
        test,
        plays(completion()),
        base="openai/deployments/{model}",
        query={"api-version": "2024-10-21", "for": "{model}"},
        headers={"X-Team": "blue"},
        body={"max_completion_tokens": 5, "data_sources": []},
        auth_header="api-key",
        key=RotatingKey(),
    )


def test_a_call_may_be_made_again_after_it_failed() -> None:
    """With nothing left of the first attempt."""

    async def test(there: Upstream) -> None:
        prepared = await there.provider.prepare(call_of())
        await failing(prepared.create())
        assert await prepared.create() == TEXT
        assert prepared.usage == SPENT

    run(test, plays(refusal("500 Internal Server Error", {}), completion()))


def test_a_table_that_cannot_be_read_is_the_operators_fault() -> None:
    """Nothing is sent."""

    async def test(there: Upstream) -> None:
        error = await failing(create(there, takes={"features": {"prefill": "maybe"}}))
        assert type(error) is UpstreamMisconfigured
        assert there.server.connections == []

    run(test, plays())


def test_message_start_reckons_with_the_input() -> None:
    """C25: a quarter of the text's bytes, and images as if they were large."""
    data = {"type": "base64", "media_type": "image/png", "data": "A" * 4000}
    image = {"type": "image", "source": data}

    async def test(there: Upstream) -> None:
        text, with_image = [
            events[0]
            for events in (
                await stream(there, "x" * 4000),
                await stream(there, [{"role": "user", "content": [image]}]),
            )
        ]
        assert isinstance(text, MessageStart)
        assert isinstance(with_image, MessageStart)
        assert 1000 <= text.usage.input_tokens < 1050
        assert 1600 <= with_image.usage.input_tokens < 1650

    run(test, plays(streamed("a"), streamed("a")))


def test_usage_has_every_kind_of_token() -> None:
    """C14: also when it comes in a stream."""
    usage = USAGE | {
        "prompt_tokens_details": {"cached_tokens": 5},
        "completion_tokens_details": {"reasoning_tokens": 2},
    }

    async def test(there: Upstream) -> None:
        reply = await create(there)
        assert reply.usage == Usage(input_tokens=2, output_tokens=3, cache_read_input_tokens=5, thinking_tokens=2)

    run(test, plays(completion(usage=usage)))

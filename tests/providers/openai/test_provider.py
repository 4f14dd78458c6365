"""The provider against a real HTTP server: what it sends, how it reads answers, how it ends calls."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import aclosing

import pytest
from pydantic_core import to_json

from megallm.errors import (
    GatewayError,
    InvalidRequest,
    RateLimited,
    UpstreamFailed,
    UpstreamMisconfigured,
)
from megallm.messages.events import (
    BlockStart,
    MessageStart,
    Reply,
    TextDelta,
    Usage,
)
from megallm.messages.fold import fold
from tests.providers.raw_server import Connection, answer

from .asking import BY_URL, MODEL, ROUTE, SIGNER, WEATHER, call_of
from .chat_server import (
    FILTERED,
    SPENT,
    STREAM_HEAD,
    TEXT,
    USAGE,
    WRONG_KEY,
    RotatingKey,
    Upstream,
    broken,
    chunk,
    chunks,
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


def test_a_key_is_a_bearers_by_default_and_need_not_be() -> None:
    """A server on the same machine often has none."""

    async def with_key(there: Upstream) -> None:
        await create(there)
        assert head_of(there)[1]["authorization"] == "Bearer key-1"

    async def without(there: Upstream) -> None:
        await create(there)
        assert "authorization" not in head_of(there)[1]

    run(with_key, plays(completion()), key=RotatingKey())
    run(without, plays(completion()))


def test_a_rotated_key_is_read_again_and_used_at_once() -> None:
    """The caller sees nothing of it."""
    key = RotatingKey(("key-1", "key-2"))

    async def test(there: Upstream) -> None:
        assert await create(there) == TEXT
        assert [head_of(there, at)[1]["authorization"] for at in (0, 1)] == ["Bearer key-1", "Bearer key-2"]
        assert key.forgotten == 1

    run(test, plays(WRONG_KEY, completion()), key=key)


@pytest.mark.parametrize(
    ("key", "responses", "forgotten"),
    [
        (RotatingKey(), [WRONG_KEY], 1),
        (RotatingKey(("key-1", "key-2", "key-3")), [WRONG_KEY, WRONG_KEY], 2),
        (RotatingKey(("key-1", "key-2")), [refusal("403 Forbidden", {"error": {"message": "no"}})], 1),
    ],
)
def test_a_key_that_stays_wrong_is_our_fault_and_leaks_nothing(
    key: RotatingKey, responses: list[bytes], forgotten: int
) -> None:
    """C32: forgotten, so that the next call reads it again; one more attempt at most."""

    async def test(there: Upstream) -> None:
        error = await failing(create(there))

        assert type(error) is UpstreamMisconfigured
        assert error.message == "The gateway is not set up right for this model's provider"
        assert (key.forgotten, len(there.server.heads)) == (forgotten, len(responses))

    run(test, plays(*responses), key=key)


def test_a_key_in_an_error_does_not_reach_the_caller() -> None:
    """Should a server repeat it in what it says of the request."""

    async def test(there: Upstream) -> None:
        error = await failing(create(there))

        assert error.message == "The model's provider refuses the request: header *** is odd"

    run(test, plays(refusal("400 Bad Request", {"error": {"message": "header key-1 is odd"}})), key=RotatingKey())
    written = plays(refusal("400 Bad Request", {"error": {"message": "header key-of-all is odd"}}))
    run(test, written, body={"api_key": "key-of-all"})


@pytest.mark.parametrize("ask", [create, stream])
def test_a_status_is_an_error_before_any_event(ask: Callable[[Upstream], Awaitable[object]]) -> None:
    """C28, C32: the same for both ways."""

    async def limited(there: Upstream) -> None:
        error = await failing(ask(there))
        assert (type(error), error.headers) == (RateLimited, {"retry-after": "9"})

    async def too_long(there: Upstream) -> None:
        error = await failing(ask(there))
        assert error.message == "prompt is too long: 831 tokens > 512 maximum"

    run(limited, plays(refusal("429 Too Many Requests", {"error": {"message": "slow down"}}, retry_after="9")))
    overflow = {"code": 400, "message": "m", "type": "exceed_context_size_error", "n_prompt_tokens": 831, "n_ctx": 512}
    run(too_long, plays(refusal("400 Bad Request", {"error": overflow})))


def test_a_prompts_size_is_counted_when_the_server_does_not_tell_it() -> None:
    """C33: our count, and the context of the catalogue."""

    async def test(there: Upstream) -> None:
        error = await failing(create(there, "one two three", context_tokens=9, max_tokens=1))
        assert error.message == "prompt is too long: 10 tokens > 9 maximum"

    run(test, plays(refusal("400 Bad Request", {"error": {"message": "no", "code": "context_length_exceeded"}})))


REFUSED = Reply(
    (),
    "refusal",
    Usage(),
    stop_details={
        "type": "refusal",
        "category": None,
        "explanation": "The model provider's content filter ended the reply (violence).",
    },
)


def test_a_filtered_prompt_is_answered_with_a_refusal() -> None:
    """C11: as Anthropic's API does, in both ways."""

    async def whole(there: Upstream) -> None:
        assert await create(there) == REFUSED

    async def as_stream(there: Upstream) -> None:
        assert fold(await stream(there)) == REFUSED

    run(whole, plays(FILTERED))
    run(as_stream, plays(FILTERED))


def test_a_server_that_does_not_stream_is_read_whole() -> None:
    """It said 200 and sent JSON."""

    async def test(there: Upstream) -> None:
        assert fold(await stream(there)) == TEXT

    run(test, plays(completion()))


@pytest.mark.parametrize(
    ("response", "kind"),
    [
        (answer(b"<html>Login</html>", content_type="text/html"), UpstreamFailed),
        (refusal("200 OK", {"error": {"message": "Server is busy", "code": 503}}), GatewayError),
        (refusal("200 OK", {"error": {"message": "no such thing", "code": 400}}), InvalidRequest),
    ],
)
def test_a_200_that_is_no_stream_is_an_error(response: bytes, kind: type[GatewayError]) -> None:
    """A proxy's page, an error that came with a 200."""

    async def test(there: Upstream) -> None:
        assert isinstance(await failing(stream(there)), kind)

    run(test, plays(response))


def test_a_stream_without_a_content_type_is_a_stream() -> None:
    """Nothing else was asked for."""

    async def test(there: Upstream) -> None:
        assert fold(await stream(there)) == TEXT

    async def script(connection: Connection) -> None:
        await connection.request()
        await connection.send(b"HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n" + chunks("Hello"))

    run(test, script)


def test_a_stream_that_breaks_off_is_an_error_and_its_tokens_count() -> None:
    """C28, C38: never an invented end."""

    async def test(there: Upstream) -> None:
        prepared = await there.provider.prepare(call_of())
        events, error = await broken(prepared)

        assert type(error) is UpstreamFailed
        assert [type(event) for event in events] == [MessageStart, BlockStart, TextDelta]
        assert prepared.usage is not None
        assert prepared.usage.output_tokens > 0

    run(test, plays(STREAM_HEAD + chunk({"role": "assistant", "content": "Hello there"})))


def test_closing_the_stream_closes_the_call() -> None:
    """C30: at once, and what was used until then is known."""
    gone = asyncio.Event()

    async def script(connection: Connection) -> None:
        await connection.request()
        await connection.send(STREAM_HEAD + chunk({"role": "assistant", "content": "Hello"}))
        await connection.gone()
        gone.set()

    async def test(there: Upstream) -> None:
        prepared = await there.provider.prepare(call_of())
        events = prepared.stream()
        async with aclosing(events):
            assert isinstance(await anext(events), MessageStart)
        await gone.wait()
        assert prepared.usage is not None

    run(test, script)


@pytest.mark.parametrize("streaming", [False, True])
def test_cancelling_closes_the_call(streaming: bool) -> None:
    """C30: while the server is still thinking."""
    asked, gone = asyncio.Event(), asyncio.Event()

    async def script(connection: Connection) -> None:
        await connection.request()
        asked.set()
        await connection.gone()
        gone.set()

    async def test(there: Upstream) -> None:
        task = asyncio.ensure_future(stream(there) if streaming else create(there))
        await asked.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await gone.wait()

    run(test, script)


def test_a_call_may_be_made_again_after_it_failed() -> None:
    """With nothing left of the first attempt."""

    async def test(there: Upstream) -> None:
        prepared = await there.provider.prepare(call_of())
        await failing(prepared.create())
        assert await prepared.create() == TEXT
        assert prepared.usage == SPENT

    run(test, plays(refusal("500 Internal Server Error", {}), completion()))


def test_thinking_is_signed_with_the_route() -> None:
    """C15: and comes back to the same server as it wants it."""

    async def test(there: Upstream) -> None:
        reply = await create(there, table="deepseek")
        conversation = [
            {"role": "user", "content": "Hello"},
            {"role": "assistant", "content": list(reply.content)},
            {"role": "user", "content": "Again"},
        ]
        await create(there, conversation, table="deepseek")

        assert reply.content[0] == {"type": "thinking", "thinking": "hm", "signature": SIGNER.sign(ROUTE, "hm")}
        assert there.bodies[1]["messages"][1] == {  # type: ignore[index]  # JSON that is known
            "role": "assistant",
            "content": "Hello",
            "reasoning_content": "hm",
        }

    run(test, plays(completion(reasoning_content="hm"), completion()))


def test_tool_names_come_back_as_the_client_knows_them() -> None:
    """C20."""
    name = "files/read"

    async def test(there: Upstream) -> None:
        reply = await create(there, tools=[WEATHER | {"name": name}])
        assert reply.content == ({"type": "tool_use", "id": "call_1", "name": name, "input": {}},)

    async def script(connection: Connection) -> None:
        await connection.request()
        sent = connection.bodies[0].partition(b'"function":{"name":"')[2].partition(b'"')[0].decode()
        call = {"id": "call_1", "type": "function", "function": {"name": sent, "arguments": ""}}
        await connection.send(completion(None, finish_reason="tool_calls", tool_calls=[call]))

    run(test, script)


PREFILLED = [{"role": "user", "content": "Count"}, {"role": "assistant", "content": "1, 2, "}]


@pytest.mark.parametrize(
    ("table", "streaming", "reply", "expected"),
    [
        ("openai", False, "1, 2, 3", "3"),
        ("openai", True, "1, 2, 3", "3"),
        ("openai", True, "3", "3"),
        ("llama.cpp", False, "1, 2, 3", "3"),
        ("llama.cpp", True, "1, 2, 3", "1, 2, 3"),
        ("vllm", False, "1, 2, 3", "1, 2, 3"),
        ("vllm", True, "1, 2, 3", "1, 2, 3"),
    ],
)
def test_a_repeated_prefill_is_taken_out_where_it_is_a_repetition(
    table: str, streaming: bool, reply: str, expected: str
) -> None:
    """C05: a server that goes on by itself may go on with the same words."""

    async def test(there: Upstream) -> None:
        got = (
            fold(await stream(there, PREFILLED, table=table))
            if streaming
            else await create(there, PREFILLED, table=table)
        )
        assert got.content == ({"type": "text", "text": expected},)

    run(test, plays(streamed(reply) if streaming else completion(reply)))


@pytest.mark.parametrize("streaming", [False, True])
def test_stop_sequences_are_matched_by_us_and_end_the_call(streaming: bool) -> None:
    """C12: a whole reply is read as it comes as well, or the server would write on for nobody."""
    gone = asyncio.Event()

    async def script(connection: Connection) -> None:
        await connection.request()
        await connection.send(STREAM_HEAD + chunk({"content": "one EN"}) + chunk({"content": "D two"}))
        await connection.gone()
        gone.set()

    async def test(there: Upstream) -> None:
        fields = {"stop_sequences": ["a", "END"]}
        reply = fold(await stream(there, **fields)) if streaming else await create(there, **fields)
        assert (reply.content, reply.stop_reason, reply.stop_sequence) == (
            ({"type": "text", "text": "one "},),
            "stop_sequence",
            "END",
        )
        assert "stop" not in there.bodies[0]
        await gone.wait()

    run(test, script)


def test_a_server_that_tells_which_sequence_hit_is_sent_them() -> None:
    """C12: vLLM's stop_reason."""

    async def script(connection: Connection) -> None:
        await connection.request()
        choice = {"index": 0, "message": {"content": "one "}, "finish_reason": "stop", "stop_reason": "END"}
        await connection.send(answer(to_json({"choices": [choice], "usage": USAGE}), content_type="application/json"))

    async def test(there: Upstream) -> None:
        reply = await create(there, stop_sequences=["a", "END"], table="vllm")
        assert (reply.stop_reason, reply.stop_sequence) == ("stop_sequence", "END")
        assert there.bodies[0]["stop"] == ["a", "END"]

    run(test, script)


class Gallery:
    """An ``ImageSource`` with one picture."""

    async def fetch(self, url: str) -> tuple[str, bytes]:
        return "image/png", b"hi"


def test_images_are_fetched_before_the_call() -> None:
    """Where the server takes bytes only, and somebody fetches."""

    async def test(there: Upstream) -> None:
        await create(there, [{"role": "user", "content": [BY_URL]}], table="ollama")
        assert there.bodies[0]["messages"] == [
            {
                "role": "user",
                "content": [{"type": "image_url", "image_url": {"url": "data:image/png;base64,aGk="}}],
            }
        ]

    run(test, plays(completion()), images=Gallery())


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

"""Answers that are not what was asked for: refusals, filtered prompts, other formats, streams that break off."""

from collections.abc import Awaitable, Callable

import pytest

from megallm.errors import GatewayError, InvalidRequest, RateLimited, UpstreamFailed
from megallm.messages.events import BlockStart, MessageStart, Reply, TextDelta, Usage
from megallm.messages.fold import fold
from tests.providers.raw_server import Connection, answer

from .asking import call_of
from .chat_server import (
    FILTERED,
    STREAM_HEAD,
    TEXT,
    Upstream,
    broken,
    chunk,
    chunks,
    completion,
    create,
    failing,
    plays,
    refusal,
    run,
    stream,
)


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

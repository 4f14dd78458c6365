"""Counting tokens against a real HTTP server (C40)."""

import pytest

from megallm.errors import (
    InvalidRequest,
    UpstreamMisconfigured,
)
from tests.providers.raw_server import answer

from .asking import BY_URL, WEATHER, call_of, counted
from .chat_server import (
    FILTERED,
    WRONG_KEY,
    RotatingKey,
    Upstream,
    failing,
    head_of,
    plays,
    refusal,
    run,
)


def test_the_servers_tokenizer_counts() -> None:
    """C40: from the server's root, with the chat that it would get."""

    async def test(there: Upstream) -> None:
        tokens = await there.provider.count_tokens(counted(call_of("Hello", tools=[WEATHER], table="vllm")))

        assert tokens == 31
        assert head_of(there)[0] == "POST /tokenize HTTP/1.1"
        assert head_of(there)[1]["authorization"] == "Bearer key-1"
        assert sorted(there.bodies[0]) == ["messages", "model", "tools"]

    run(
        test,
        plays(answer(b'{"count":31,"max_model_len":99,"tokens":[]}')),
        tokenize_path="/tokenize",
        key=RotatingKey(),
    )


@pytest.mark.parametrize("status", ["404 Not Found", "405 Method Not Allowed", "501 Not Implemented"])
def test_where_there_is_no_tokenizer_the_input_is_estimated(status: str) -> None:
    """An older server."""

    async def test(there: Upstream) -> None:
        assert await there.provider.count_tokens(counted(call_of("one two"))) == 2 + 4 + 3

    run(test, plays(answer(b"", status=status)), tokenize_path="/tokenize")


def test_without_a_path_nobody_is_asked() -> None:
    """Nor where there are images: tokenizers of text do not see them."""

    async def nowhere(there: Upstream) -> None:
        assert await there.provider.count_tokens(counted(call_of("one two"))) == 2 + 4 + 3
        assert there.server.connections == []

    async def images(there: Upstream) -> None:
        call = call_of([{"role": "user", "content": [BY_URL]}], table="vllm")
        assert await there.provider.count_tokens(counted(call)) == 1600 + 4 + 3
        assert there.server.connections == []

    run(nowhere, plays())
    run(images, plays(), tokenize_path="/tokenize")


def test_a_tokenizers_refusal_is_an_error() -> None:
    """Its template may refuse the conversation, or its key."""

    async def refused(there: Upstream) -> None:
        error = await failing(there.provider.count_tokens(counted(call_of())))
        assert (type(error), error.message) == (
            InvalidRequest,
            "The model's provider refuses the request: roles must alternate",
        )

    async def wrong_key(there: Upstream) -> None:
        assert type(await failing(there.provider.count_tokens(counted(call_of())))) is UpstreamMisconfigured

    async def filtered(there: Upstream) -> None:
        assert await there.provider.count_tokens(counted(call_of("one two"))) == 2 + 4 + 3

    run(refused, plays(refusal("400 Bad Request", {"message": "roles must alternate"})), tokenize_path="/tokenize")
    run(wrong_key, plays(WRONG_KEY), tokenize_path="/tokenize")
    run(filtered, plays(FILTERED), tokenize_path="/tokenize")

"""Our key in what a server says of an error: the caller never sees it, whichever way the error comes (C32)."""

import asyncio
from typing import Any

import pytest
from pydantic_core import to_json

from megallm.errors import InvalidRequest, UpstreamMisconfigured
from megallm.providers.openai.errors import Filtered, refused
from megallm.providers.openai.errors_body import Said, said_in
from megallm.providers.openai.errors_overflow import Sizes

from .asking import call_of, counted
from .chat_server import STREAM_HEAD, RotatingKey, Upstream, chunk, create, plays, refusal, stream, upstream

NO_SIZES = Sizes(prompt=lambda: 0, max_tokens=0, context=None)
KEY = "sk-secret/123"
HIDDEN = "The model's provider refuses the request: token *** is not good"
SAID = {"error": {"message": f"token {KEY} is not good", "code": 400}}
FRAME = b"data: %b\n\n" % to_json(SAID)


@pytest.mark.parametrize(
    "response",
    [
        refusal("400 Bad Request", SAID),
        refusal("200 OK", SAID),
        refusal("200 OK", SAID).replace(b"secret/", b"secret\\/").replace(b"content-length", b"x-length"),
        STREAM_HEAD + FRAME,
        STREAM_HEAD + b"event: error\n" + FRAME,
        STREAM_HEAD + chunk({"content": "Hel"}) + FRAME,
        STREAM_HEAD + chunk({"content": "Hel"}) + chunk(**SAID),
    ],
    ids=["status", "json", "json escaped", "stream", "event", "later in a stream", "in a chunk"],
)
def test_a_server_that_repeats_our_key_does_not_tell_the_caller(response: bytes) -> None:
    """Anything between us and the model may write into its error what it was sent."""

    async def main() -> None:
        async with upstream(plays(response), key=RotatingKey((KEY,))) as there:
            ask = stream if response.startswith(STREAM_HEAD) else create
            with pytest.raises(InvalidRequest) as caught:
                await ask(there)
            assert caught.value.message == HIDDEN

    asyncio.run(main())


@pytest.mark.parametrize(
    "settings",
    [
        {"headers": {"X-Proxy-Auth": f"Basic {KEY}", "X-Flag": "on"}},
        {"query": {"key": KEY, "api-version": "2025-04-01"}},
    ],
    ids=["header", "query"],
)
def test_nor_is_a_key_told_that_has_no_setting_of_its_own(settings: dict[str, Any]) -> None:
    """In a header for a proxy, or in the query, as some servers want it."""

    async def main() -> None:
        async with upstream(plays(refusal("400 Bad Request", SAID)), **settings) as there:
            with pytest.raises(InvalidRequest) as caught:
                await create(there)
            assert caught.value.message == HIDDEN

    asyncio.run(main())


def test_what_is_no_secret_can_be_read_in_an_error() -> None:
    """The caller may have to know which version the server does not speak."""
    said = {"error": {"message": "api-version 2025-04-01 is too old, and on is no flag"}}
    settings: dict[str, Any] = {"query": {"api-version": "2025-04-01"}, "headers": {"x-flag": "on"}}

    async def main() -> None:
        async with upstream(plays(refusal("400 Bad Request", said)), **settings) as there:
            with pytest.raises(InvalidRequest, match="api-version 2025-04-01 is too old, and on is no flag"):
                await create(there)

    asyncio.run(main())


def test_nor_does_its_tokenizer() -> None:
    """Counting has errors of its own."""

    async def main(there: Upstream) -> None:
        with pytest.raises(InvalidRequest) as caught:
            await there.provider.count_tokens(counted(call_of("Hello", table="vllm")))
        assert caught.value.message == HIDDEN

    async def run() -> None:
        script = plays(refusal("400 Bad Request", SAID))
        async with upstream(script, key=RotatingKey((KEY,)), tokenize_path="/tokenize") as there:
            await main(there)

    asyncio.run(run())


@pytest.mark.parametrize(
    "body",
    ["the key", {"message": "the key"}, {"error": "the key"}, {"detail": "the key"}, {"detail": [{"msg": "the key"}]}],
)
def test_every_shape_of_an_error_is_told_without_the_key(body: object) -> None:
    """Before it is cut to a length, so that no half of the key is left."""
    wrapped = body if isinstance(body, dict) else {"error": body}

    assert said_in(wrapped).told(lambda text: text.replace("key", "***")) == "the ***"


def test_a_key_at_the_end_of_what_is_told_leaves_no_half() -> None:
    """It is taken out before the text is cut."""
    said = Said(f"{'x' * 495} {KEY}")

    assert said.told(lambda text: text.replace(KEY, "***")) == f"{'x' * 495} ***"


def test_the_names_of_what_a_filter_found_are_told_without_the_key() -> None:
    """They stand in the reply."""
    found = {"code": "content_filter", "innererror": {"content_filter_result": {"the key": {"filtered": True}}}}

    outcome = refused(400, {}, to_json({"error": found}), NO_SIZES, lambda text: text.replace("key", "***"))

    assert outcome == Filtered("the ***")


@pytest.mark.parametrize("secret", ["maximum", "context length", "8192 tokens"])
def test_a_secret_of_the_same_words_does_not_hide_what_an_error_means(secret: str) -> None:
    """A header's value may be a plain word: the overflow is known as one, and told in the words that clients match."""
    said = {
        "error": {
            "message": "This model's maximum context length is 8192 tokens. However, your messages resulted "
            "in 9000 tokens.",
            "code": 400,
        }
    }

    async def main() -> None:
        async with upstream(plays(refusal("400 Bad Request", said)), headers={"x-team": secret}) as there:
            with pytest.raises(InvalidRequest) as caught:
                await create(there)
            assert caught.value.message == "prompt is too long: 9000 tokens > 8192 maximum"

    asyncio.run(main())


@pytest.mark.parametrize(
    ("message", "kind"),
    [("Incorrect API key provided", UpstreamMisconfigured), ("Content Exists Risk", Filtered)],
)
def test_nor_whose_fault_it_is(message: str, kind: type) -> None:
    """Not told as the caller's, where it is ours; a filter is a filter."""
    outcome = refused(400, {}, to_json({"error": message}), NO_SIZES, lambda text: "***")

    assert type(outcome) is kind

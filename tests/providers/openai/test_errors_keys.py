"""Our key in what a server says of an error: the caller never sees it, whichever way the error comes (C32)."""

import asyncio

import pytest
from pydantic_core import to_json

from megallm.errors import InvalidRequest
from megallm.providers.openai.errors_body import Said, said_in

from .asking import call_of, counted
from .chat_server import STREAM_HEAD, RotatingKey, Upstream, chunk, create, plays, refusal, stream, upstream

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
def test_every_shape_of_an_error_is_read_without_the_key(body: object) -> None:
    """Before it is cut to a length, so that no half of the key is left."""
    wrapped = body if isinstance(body, dict) else {"error": body}

    assert said_in(wrapped, lambda text: text.replace("key", "***")) == Said("the ***")


def test_the_names_of_what_a_filter_found_are_read_without_the_key() -> None:
    """The caller is told them."""
    inner = {"content_filter_result": {"the key": {"filtered": True}}}

    assert said_in({"innererror": inner}, lambda text: text.replace("key", "***")).filtered == "the ***"

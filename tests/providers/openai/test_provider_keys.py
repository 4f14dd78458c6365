"""The provider's key against a real HTTP server: where it goes, when it is read again, and who never sees it."""

import pytest

from megallm.errors import UpstreamMisconfigured

from .chat_server import (
    TEXT,
    WRONG_KEY,
    RotatingKey,
    Upstream,
    completion,
    create,
    failing,
    head_of,
    plays,
    refusal,
    run,
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

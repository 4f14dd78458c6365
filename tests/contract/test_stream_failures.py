"""Streams that fail, before their first event and after it, as each SDK tells them."""

import pytest

from megallm.errors import GatewayError, InternalError, RateLimited, UpstreamFailed, UpstreamOverloaded
from tests.contract.clients import SdkError
from tests.contract.conftest import Connect, Serve
from tests.contract.samples import HELLO
from tests.contract.server import WatchedProvider
from tests.fakes import Step, text_reply

EARLY = [
    RateLimited("slow down", headers={"retry-after": "7"}),
    UpstreamFailed("refused"),
    UpstreamOverloaded("full"),
    InternalError("ours"),
]


@pytest.mark.parametrize("failure", EARLY, ids=lambda failure: failure.type + str(failure.status))
def test_a_failure_before_the_first_event_is_a_status(connect: Connect, serve: Serve, failure: GatewayError) -> None:
    """C28: the stream has not begun, so the SDK raises what it would raise for a plain call."""
    sdk = connect(serve(WatchedProvider([failure])))

    with pytest.raises(SdkError) as raised:
        sdk.events(**HELLO)

    told = raised.value
    assert (told.status, told.type, told.message) == (failure.status, failure.type, failure.message)


LATE: list[tuple[Exception, str]] = [
    (UpstreamFailed("the line broke"), "api_error"),
    (UpstreamOverloaded("full"), "overloaded_error"),
    (RuntimeError("nobody may see this"), "api_error"),
]


@pytest.mark.parametrize(("failure", "error_type"), LATE, ids=["failed", "overloaded", "crash"])
def test_a_failure_after_it_is_raised_by_the_sdk(
    connect: Connect, serve: Serve, failure: Exception, error_type: str
) -> None:
    """C28: an error event ends the stream, and the SDK raises it with our envelope; nothing looks whole."""
    script: list[Step] = [*text_reply("Hello", ", wor")[:4], failure]
    sdk = connect(serve(WatchedProvider(script)))

    stream = sdk.open(**HELLO)
    seen = [stream.next()["type"] for _ in range(4)]
    with pytest.raises(SdkError) as raised:
        stream.next()
    stream.close()

    assert seen == ["message_start", "content_block_start", "content_block_delta", "content_block_delta"]
    body = raised.value.body
    assert (body["type"], body["error"]["type"]) == ("error", error_type)
    assert body["request_id"] == raised.value.request_id
    assert "nobody" not in str(body)


def test_an_upstream_that_ends_early_is_an_error(connect: Connect, serve: Serve) -> None:
    """C28: without message_stop there is no invented end; the SDK's helper raises too."""
    sdk = connect(serve(WatchedProvider(text_reply("Hello")[:-1])))

    with pytest.raises(SdkError) as raised:
        sdk.final(**HELLO)

    assert raised.value.body["error"]["type"] == "api_error"

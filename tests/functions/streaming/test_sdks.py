"""The headline: official SDKs through an API Gateway in STREAM mode and our runtime, to an upstream that waits."""

import pytest

from tests.contract.clients import OpenStream, Sdk, SdkError
from tests.contract.upstreams.asking import QUESTION
from tests.contract.upstreams.chat import Chat
from tests.contract.upstreams.dialect import CONTENT, STOP_REASON, Refusal
from tests.contract.upstreams.dialects import good
from tests.contract.upstreams.http_bytes import LAST_CHUNK, chunk, opened
from tests.contract.upstreams.listener import Close, Gate, Listener, Script, Stall, Step
from tests.contract.upstreams.staging import model_for
from tests.functions.streaming.api_gateway import ApiGateway
from tests.functions.streaming.conftest import Surroundings
from tests.functions.streaming.running import Lambda
from tests.functions.streaming.wire import Json

pytestmark = pytest.mark.slow

CHAT = Chat()
ASK: dict[str, Json] = {**QUESTION, "model": model_for(CHAT)}
WORDS = ["one ", "two ", "three ", "four"]


def paced(gates: list[Gate]) -> Script:
    """The words, each followed by a wait at its gate; then the rest of the good reply."""
    first, _, _, *rest = CHAT.frames()
    steps: list[Step] = [opened(CHAT.stream_type), chunk(first)]
    for word, gate in zip(WORDS, gates, strict=True):
        steps += [chunk(CHAT.text_frame(word)), gate]
    return [*steps, *map(chunk, rest), LAST_CHUNK]


def broken_off(*end: Step) -> Script:
    """One word, and an end."""
    first, *_ = CHAT.frames()
    return [opened(CHAT.stream_type), chunk(first), chunk(CHAT.text_frame("one ")), *end]


def rest_of(stream: OpenStream) -> list[str]:
    """The types of the events that are left."""
    return [event["type"] for event in iter(stream.next, None)]


def test_the_sdk_sees_each_token_before_the_next_is_sent(sdk: Sdk, upstream: Listener) -> None:
    """The upstream goes on only after the SDK has given the last word to its user: nothing in between collects."""
    gates = [Gate() for _ in WORDS]
    upstream.play(lambda _: paced(gates))

    stream = sdk.open(**ASK)
    seen = [stream.next()["type"], stream.next()["type"]]
    for gate in gates:
        seen.append(stream.next()["delta"]["text"])
        gate.wait_until_reached()
        gate.release()
    seen += rest_of(stream)

    assert seen == [
        "message_start",
        "content_block_start",
        *WORDS,
        "content_block_stop",
        "content_block_start",
        "content_block_delta",
        "content_block_delta",
        "content_block_stop",
        "message_delta",
        "message_stop",
    ]


def test_a_plain_message_goes_the_same_way(sdk: Sdk, upstream: Listener, surroundings: Surroundings) -> None:
    """One integration serves both modes; the limiter's headers come along."""
    upstream.play(lambda received: good(CHAT, received))

    answer = sdk.exchange(**ASK)

    assert (answer["body"]["content"], answer["body"]["stop_reason"]) == (CONTENT, STOP_REASON)
    assert answer["headers"]["anthropic-ratelimit-requests-limit"] == "50"
    assert answer["headers"]["content-type"] == "application/json"
    assert surroundings.leases == 0


def test_leaving_a_stream_closes_the_upstream_and_frees_the_slot(
    sdk: Sdk, upstream: Listener, streaming: Lambda, surroundings: Surroundings
) -> None:
    """C30, as far as Lambda lets it be seen: the upstream is silent, and would be for good."""
    upstream.play(lambda _: broken_off(Stall()))
    stream = sdk.open(**ASK)
    for _ in range(3):
        stream.next()
    held = surroundings.leases

    stream.close()
    upstream.exchanges[-1].wait_until_peer_left()
    streaming.wait(streaming.api.idle())

    assert (held, surroundings.leases) == (1, 0)
    assert [line["status"] for line in streaming.lines if line["event"] == "request"][-1] == 499


@pytest.mark.parametrize("streamed", [False, True], ids=["plain", "stream"])
def test_an_error_before_the_first_byte_is_a_status(sdk: Sdk, upstream: Listener, *, streamed: bool) -> None:
    """C28, C32: an upstream's refusal reaches the SDK as the class that it has for it."""
    refusal = Refusal(429, "rate_limit_exceeded", "slow down", {"retry-after": "7"})
    upstream.play(lambda _: CHAT.refuse(refusal))

    with pytest.raises(SdkError) as caught:
        sdk.events(**ASK) if streamed else sdk.create(**ASK)

    assert (caught.value.name, caught.value.status, caught.value.type) == ("RateLimitError", 429, "rate_limit_error")
    assert caught.value.request_id is not None


def test_an_error_after_the_first_byte_is_an_event(sdk: Sdk, upstream: Listener, surroundings: Surroundings) -> None:
    """C28: the SDK raises, and does not take a torn reply for whole."""
    upstream.play(lambda _: broken_off(Close()))

    stream = sdk.open(**ASK)
    seen = [stream.next()["type"] for _ in range(3)]
    with pytest.raises(SdkError) as caught:
        rest_of(stream)

    assert seen == ["message_start", "content_block_start", "content_block_delta"]
    assert caught.value.type == "api_error"
    assert surroundings.leases == 0


def test_without_the_right_key_it_is_closed(sdk: Sdk, gateway: ApiGateway) -> None:
    """A 401 like anywhere else."""
    stranger = Sdk(sdk.driver, gateway.url, api_key="mega_unknown0_" + "u" * 43)

    with pytest.raises(SdkError) as caught:
        stranger.create(**ASK)

    assert (caught.value.status, caught.value.type) == (401, "authentication_error")

"""A selection of the faults as all four official SDKs tell them: class, status and type, for every kind of upstream."""

from collections.abc import Mapping
from typing import Any

import pytest

from tests.contract.clients import Driver, OpenStream, Sdk, SdkError
from tests.contract.upstreams.asking import QUESTION
from tests.contract.upstreams.dialect import CONTENT, STOP_REASON, Dialect
from tests.contract.upstreams.dialects import good
from tests.contract.upstreams.faults import BREAKS, CALLERS, REFUSALS, RUBBISH, Fault, Told, by_name
from tests.contract.upstreams.listener import Answer, Gate, Listener
from tests.contract.upstreams.staging import SECRETS, Stage, model_for
from tests.contract.upstreams.stream_faults import died_after, error_in_the_middle
from tests.fakes import KEY

Json = Any  # what goes over the wire

_NAMES = ("401", "429 with retry-after", "529", "504", "413", "HTML with 200", "400 context overflow", "closes at once")
EARLY = [fault for fault in (*CALLERS, *REFUSALS, *RUBBISH, *BREAKS) if fault.name in _NAMES]

# The class in each generation, by status.
_CLASSES: Mapping[int, Mapping[str, str]] = {
    400: dict.fromkeys(("python-2.12", "python-0.116", "node-1.12", "node-0.x"), "BadRequestError"),
    413: {
        "python-2.12": "ContentTooLargeError",
        "python-0.116": "RequestTooLargeError",
        "node-1.12": "ContentTooLargeError",
        "node-0.x": "APIError",
    },
    429: dict.fromkeys(("python-2.12", "python-0.116", "node-1.12", "node-0.x"), "RateLimitError"),
    500: dict.fromkeys(("python-2.12", "python-0.116", "node-1.12", "node-0.x"), "InternalServerError"),
    504: {
        "python-2.12": "GatewayTimeoutError",
        "python-0.116": "InternalServerError",
        "node-1.12": "GatewayTimeoutError",
        "node-0.x": "InternalServerError",
    },
    529: {
        "python-2.12": "OverloadedError",
        "python-0.116": "OverloadedError",
        "node-1.12": "OverloadedError",
        "node-0.x": "InternalServerError",
    },
}


@pytest.fixture
def sdk(driver: Driver, gateway: Stage) -> Sdk:
    """Each SDK in turn, connected to the gateway."""
    return Sdk(driver, gateway.server.url, api_key=KEY)


def question(dialect: Dialect) -> dict[str, Json]:
    return {**QUESTION, "model": model_for(dialect)}


def seen(error: SdkError) -> tuple[Json, ...]:
    """What its user gets, once it is sure that nothing of the operator's is in it."""
    assert [secret for secret in SECRETS if secret in str(error.body)] == []
    assert error.body["request_id"] == error.request_id
    return error.name, error.status, error.body["error"]["type"]


def expected(sdk: Sdk, told: Told | None) -> tuple[Json, ...]:
    assert told is not None
    return _CLASSES[told.status][sdk.driver.generation.name], told.status, told.type


def without_nulls(block: dict[str, Json]) -> dict[str, Json]:
    """An SDK may add fields of its own that say nothing."""
    return {name: value for name, value in block.items() if value is not None}


def test_a_good_reply_arrives(upstream: Listener, gateway: Stage, sdk: Sdk, dialect: Dialect) -> None:
    """Plain and folded, the same message."""
    upstream.play(lambda received: good(dialect, received))

    for message in (sdk.create(**question(dialect)), sdk.final(**question(dialect))):
        assert [without_nulls(block) for block in message["content"]] == CONTENT
        assert message["stop_reason"] == STOP_REASON


@pytest.mark.parametrize("fault", EARLY, ids=str)
def test_a_failure_is_raised_as_its_class(
    upstream: Listener, gateway: Stage, sdk: Sdk, dialect: Dialect, fault: Fault
) -> None:
    """Section 7: the same class for a plain call and for a stream that has not begun."""
    upstream.play(lambda received: fault.script(dialect, received))

    for way in (sdk.create, sdk.events):
        with pytest.raises(SdkError) as raised:
            way(**question(dialect))
        assert seen(raised.value) == expected(sdk, fault.outcome)


def closing(dialect: Dialect) -> Answer:
    return lambda received: by_name("closes in the middle", BREAKS).script(dialect, received)


def telling(dialect: Dialect) -> Answer:
    return lambda received: error_in_the_middle(dialect, received)


def read(stream: OpenStream) -> None:
    """To its end."""
    while stream.next() is not None:
        pass


@pytest.mark.parametrize("late", [closing, telling])
def test_a_stream_that_fails_is_raised(
    upstream: Listener, gateway: Stage, sdk: Sdk, dialect: Dialect, late: Any
) -> None:
    """C28: half of a reply is an error to each of them, and never the message."""
    upstream.play(late(dialect))

    stream = sdk.open(**question(dialect))
    begun = stream.next()["type"]
    upstream.gate.release()
    with pytest.raises(SdkError) as raised:
        read(stream)
    stream.close()

    assert begun == "message_start"
    assert raised.value.body["error"]["type"] == "api_error"


def test_a_stream_without_its_end_is_raised_by_the_helper_too(
    upstream: Listener, gateway: Stage, sdk: Sdk, dialect: Dialect
) -> None:
    """The helper that folds would return what it has, if it were not told."""
    upstream.play(lambda received: died_after(dialect.whole_after - 1, None)(dialect, received))

    with pytest.raises(SdkError) as raised:
        sdk.final(**question(dialect))

    assert raised.value.body["error"]["type"] == "api_error"


def test_leaving_a_stream_closes_the_upstream(upstream: Listener, gateway: Stage, sdk: Sdk, dialect: Dialect) -> None:
    """C30: each SDK's way to leave."""
    upstream.play(lambda received: [*closing(dialect)(received)[:-1], Gate()])

    stream = sdk.open(**question(dialect))
    stream.next()
    stream.close()

    upstream.exchanges[-1].wait_until_peer_left()
    gateway.limiter.wait_until_empty()

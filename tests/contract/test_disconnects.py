"""A client that goes away ends the upstream call and frees its slot (C30)."""

import logging
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest

from megallm.telemetry import fields_of
from tests.contract.clients import SdkError
from tests.contract.conftest import Connect, Serve
from tests.contract.samples import HELLO
from tests.contract.server import CountingLimiter, RunningServer, WatchedProvider
from tests.fakes import KEY, Pause, text_reply


@pytest.fixture
def pause() -> Pause:
    return Pause()


@pytest.fixture
def limiter() -> CountingLimiter:
    return CountingLimiter()


def ended(server: RunningServer, provider: WatchedProvider, limiter: CountingLimiter) -> tuple[int, int, int]:
    """Calls that were cancelled, that still run, and slots that are still taken, once it has come to rest."""
    provider.wait_until_idle()
    limiter.wait_until_empty()
    return provider.cancelled, provider.running, limiter.inside


def test_leaving_a_stream_cancels_the_upstream(
    connect: Connect, serve: Serve, pause: Pause, limiter: CountingLimiter
) -> None:
    """C30: the SDK closes a stream in its middle, while the upstream is silent."""
    start, block, text, *rest = text_reply("Hello")
    provider = WatchedProvider([start, block, text, pause, *rest])
    server = serve(provider, limiter=limiter)

    stream = connect(server).open(**HELLO)
    for _ in range(3):
        stream.next()
    server.wait_until_reached(pause)
    stream.close()

    assert ended(server, provider, limiter) == (1, 0, 0)


def test_aborting_a_plain_call_cancels_the_upstream(
    connect: Connect, serve: Serve, pause: Pause, limiter: CountingLimiter
) -> None:
    """C30: the SDK gives up a call that is not streamed."""
    provider = WatchedProvider([pause, *text_reply("never")])
    server = serve(provider, limiter=limiter)

    abort = connect(server).begin(**HELLO)
    server.wait_until_reached(pause)
    outcome = abort()

    assert (outcome, ended(server, provider, limiter)) == ("aborted", (1, 0, 0))


def test_the_sdks_own_timeout_cancels_the_upstream(
    connect: Connect, serve: Serve, pause: Pause, limiter: CountingLimiter
) -> None:
    """C30: a call that ran out of the client's time is over for the upstream too."""
    provider = WatchedProvider([pause, *text_reply("never")])
    server = serve(provider, limiter=limiter)
    timeout_seconds = 0.5

    while not provider.calls:  # on a busy machine half a second may be over before the call is begun
        with pytest.raises(Exception, match=r"(?i)timed out"):
            connect(server, timeout_seconds=timeout_seconds).create(**HELLO)
        timeout_seconds *= 4

    assert ended(server, provider, limiter) == (len(provider.calls), 0, 0)


@pytest.mark.usefixtures("alone")
def test_stopping_the_server_ends_a_running_stream_with_an_error(
    connect: Connect, serve: Serve, pause: Pause, tolerated: list[str], caplog: pytest.LogCaptureFixture
) -> None:
    """C28: the SDK is told that the reply is not whole; the upstream call has ended, and the log says so."""
    caplog.set_level(logging.INFO, "megallm")
    tolerated += ["Cancel 1 running task"]
    start, *rest = text_reply("Hello")
    provider = WatchedProvider([start, pause, *rest])
    server = serve(provider)

    stream = connect(server).open(**HELLO)
    stream.next()
    server.stop()
    with pytest.raises(SdkError) as caught:
        stream.next()
    server.join()

    assert caught.value.type == "overloaded_error"
    assert (provider.cancelled, provider.running) == (1, 0)
    assert requests_logged(caplog) == [(200, True, "overloaded_error")]


@pytest.mark.usefixtures("alone")
def test_stopping_the_server_refuses_a_running_call_so_that_it_is_sent_again(
    serve: Serve, pause: Pause, tolerated: list[str], caplog: pytest.LogCaptureFixture
) -> None:
    """A 529, which the SDKs retry: another server may be up by then."""
    caplog.set_level(logging.INFO, "megallm")
    tolerated += ["Cancel 1 running task"]
    provider = WatchedProvider([pause, *text_reply("never")])
    server = serve(provider)

    with ThreadPoolExecutor(1) as pool:
        answer = pool.submit(_post, f"{server.url}/v1/messages")
        server.wait_until_reached(pause)
        server.stop()
        response = answer.result()
    server.join()

    assert (response.status_code, response.json()["error"]["type"]) == (529, "overloaded_error")
    assert "x-should-retry" not in response.headers
    assert (provider.cancelled, provider.running) == (1, 0)
    assert requests_logged(caplog) == [(529, False, "overloaded_error")]


def _post(url: str) -> httpx.Response:
    return httpx.post(url, json=HELLO, headers={"x-api-key": KEY}, timeout=60)


def requests_logged(caplog: pytest.LogCaptureFixture) -> list[tuple[object, ...]]:
    """Status, stream and error of every request in the log."""
    lines = [fields_of(record) for record in caplog.records if record.getMessage() == "request"]
    return [(line["status"], line["stream"], line["error_type"]) for line in lines]

"""What goes wrong on the way to a gateway, told in plain words and by exit status."""

import ssl
from collections.abc import Callable, Iterator

import httpx
import pytest

from megallm.cli.connect_failures import BROKEN, NOBODY, NoAnswer
from megallm.cli.connect_message import listed_models, send_message

DELTA = b'event: content_block_delta\ndata: {"type":"content_block_delta","delta":{"type":"text_delta","text":"a"}}\n\n'


def _client(answer: Callable[[httpx.Request], httpx.Response]) -> httpx.Client:
    return httpx.Client(base_url="https://llm.example.com/prod", transport=httpx.MockTransport(answer))


def _untrusted() -> httpx.ConnectError:
    cause = ssl.SSLCertVerificationError(1, "failed")
    cause.verify_message = "certificate has expired"
    error = httpx.ConnectError("failed")
    error.__cause__ = OSError("wrapped")
    error.__cause__.__context__ = cause
    return error


@pytest.mark.parametrize(
    ("error", "status", "told"),
    [
        (httpx.ConnectTimeout(""), NOBODY, "llm.example.com does not take a connection within 10 s."),
        (httpx.ConnectError("no such name"), NOBODY, "llm.example.com cannot be reached: no such name."),
        (
            _untrusted(),
            NOBODY,
            "llm.example.com cannot be reached: its certificate is not valid, certificate has expired.",
        ),
        (httpx.ReadTimeout(""), BROKEN, "llm.example.com was silent for 60 s."),
        (httpx.RemoteProtocolError("cut off"), BROKEN, "the connection to llm.example.com broke: cut off."),
        (httpx.ReadError(""), BROKEN, "the connection to llm.example.com broke: ReadError."),
    ],
)
def test_what_the_network_does_is_told_in_plain_words(error: httpx.HTTPError, status: int, told: str) -> None:
    """Without a traceback, and with the name that was asked."""

    def fail(request: httpx.Request) -> httpx.Response:
        raise error

    with _client(fail) as client, pytest.raises(NoAnswer) as caught:
        listed_models(client)

    assert (str(caught.value), caught.value.exit_status) == (told, status)


def test_an_answer_without_an_end_is_given_up() -> None:
    """Pings would keep it alive for ever."""
    now = iter(range(0, 1000, 50))

    def answer(request: httpx.Request) -> httpx.Response:
        return httpx.Response(200, headers={"content-type": "text/event-stream"}, content=_endless())

    with _client(answer) as client, pytest.raises(NoAnswer) as caught:
        send_message(client, "m", longest_seconds=120, clock=lambda: float(next(now)))

    assert (str(caught.value), caught.value.exit_status) == ("the answer did not end within 120 s.", BROKEN)


def _endless() -> Iterator[bytes]:
    while True:
        yield DELTA

"""What goes wrong on the way to a gateway, told in plain words and by exit status."""

import ssl
from collections.abc import Callable, Iterator

import httpx
import pytest
import typer

from megallm.cli.connect import connect
from megallm.cli.connect_failures import BROKEN, NOBODY, NoAnswer
from megallm.cli.connect_message import client_of, listed_models, send_message
from megallm.cli.connect_target import FoundGateway
from tests.cli.canned_server import Canned, canned
from tests.fakes import KEY

DELTA = b'event: content_block_delta\ndata: {"type":"content_block_delta","delta":{"type":"text_delta","text":"a"}}\n\n'


def _client(answer: Callable[[httpx.Request], httpx.Response]) -> httpx.Client:
    timeout = httpx.Timeout(60, connect=10)
    return httpx.Client(base_url="https://llm.example.com/prod", transport=httpx.MockTransport(answer), timeout=timeout)


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
        (UnicodeError("label too long"), NOBODY, "llm.example.com cannot be reached: it is no name of a host."),
    ],
)
def test_what_the_network_does_is_told_in_plain_words(error: Exception, status: int, told: str) -> None:
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


@pytest.mark.parametrize(
    "answer",
    [
        Canned(200, b"", silent="before the head"),
        Canned(200, DELTA, {"content-type": "text/event-stream"}, silent="after the body"),
    ],
)
def test_no_silence_is_longer_than_the_message_may_take(answer: Canned) -> None:
    """Neither before the answer nor within it; and the number that is told is the one that was waited for."""
    with (
        canned({"POST /v1/messages": answer}) as url,
        client_of(FoundGateway(url, local=True), None, longest_seconds=0.1) as client,
        pytest.raises(NoAnswer) as caught,
    ):
        send_message(client, "m", longest_seconds=0.1)

    host = url.removeprefix("http://")
    assert (str(caught.value), caught.value.exit_status) == (f"{host} was silent for 0.1 s.", BROKEN)


def test_the_time_that_is_given_bounds_the_silences(capsys: pytest.CaptureFixture[str]) -> None:
    """Of a gateway that takes the connection, and says nothing."""
    with (
        canned({"GET /v1/models": Canned(200, b"", silent="before the head")}) as url,
        pytest.raises(typer.Exit) as ended,
    ):
        connect(url=url, key=KEY, timeout_seconds=0.1)

    assert ended.value.exit_code == 5
    assert capsys.readouterr().err == f"megallm: {url.removeprefix('http://')} was silent for 0.1 s.\n"


def test_models_that_a_terminal_would_obey_are_left_out() -> None:
    """The settings are printed as they are, to be copied."""
    listing = b'{"data": [{"id": "claude-\\u001b]0;x\\u0007"}, {"id": "claude-a"}, {"id": "b\\u202ec"}]}'

    with _client(lambda request: httpx.Response(200, content=listing)) as client:
        listed = listed_models(client)

    assert listed == ["claude-a"]


@pytest.mark.parametrize(
    ("ask", "hint"),
    [
        (listed_models, "Is the address right, with its path?"),
        (lambda client: send_message(client, "m", longest_seconds=1), "--model names another model."),
    ],
)
def test_another_model_is_advised_only_where_models_were_listed(
    ask: Callable[[httpx.Client], object], hint: str
) -> None:
    """A gateway knows no path of another's either."""
    body = b'{"error": {"type": "not_found_error", "message": "M"}}'

    with (
        _client(lambda request: httpx.Response(404, stream=httpx.ByteStream(body))) as client,
        pytest.raises(NoAnswer) as caught,
    ):
        ask(client)

    assert str(caught.value) == f"the gateway answers 404: not_found_error, M. {hint}"


def _endless() -> Iterator[bytes]:
    while True:
        yield DELTA

"""DynamoDB's protocol over HTTP: signatures, what is tried again, whose time it is, credentials that run out."""

import asyncio
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials, RefreshableCredentials
from pydantic_core import from_json, to_json

from megallm.limits.state import SECOND
from megallm.stores.dynamodb_http import ConditionFailed, DynamoHttp, NoAnswer, Throttled
from megallm.stores.server_clock import ServerClock
from megallm.stores.signing import Signer

OK = (200, b'{"Item": {}}')
FAILED_CONDITION = b'{"__type": "com.amazonaws.dynamodb.v20120810#ConditionalCheckFailedException", "Item": {"a": 1}}'
THROTTLE = (400, b'{"__type": "com.amazonaws.dynamodb.v20120810#ProvisionedThroughputExceededException"}')
NO_TABLE = (400, b'{"__type": "com.amazonaws.dynamodb.v20120810#ResourceNotFoundException", "message": "secret"}')
BROKEN = (503, b"<html>")
NOT_ANSWERED = (0, b"")
# Where what counts is how often it is tried, no attempt may run out of time on a machine that is busy.
PATIENCE_SECONDS = 60.0

Reply = tuple[int, bytes]


class Engine:
    """Answers from a script, the last one for ever; remembers the headers of the requests."""

    def __init__(self, *replies: Reply, date: str | None = None) -> None:
        self.replies = list(replies)
        self.date = date
        self.requests: list[dict[str, str]] = []
        engine = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                self.rfile.read(int(self.headers["content-length"]))
                engine.requests.append({name.lower(): value for name, value in self.headers.items()})
                status, body = engine.replies.pop(0) if len(engine.replies) > 1 else engine.replies[0]
                if not status:
                    self.close_connection = True
                    return
                self.send_response_only(status)
                if engine.date is not None:
                    self.send_header("date", engine.date)
                self.send_header("content-length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002  the overridden method's name
                """Silence."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}"

    @contextmanager
    def running(self) -> Iterator["Engine"]:
        thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)
        thread.start()
        yield self
        self._server.shutdown()
        self._server.server_close()
        thread.join()


def http_to(
    url: str,
    *,
    credentials: Callable[[], Credentials | None] = lambda: Credentials("access", "secret"),
    clock: ServerClock | None = None,
    seconds: float = PATIENCE_SECONDS,
) -> DynamoHttp:
    return DynamoHttp(
        endpoint_url=url,
        region="eu-central-1",
        credentials=credentials,
        clock=clock or ServerClock(),
        attempt_seconds=seconds,
        connect_seconds=PATIENCE_SECONDS,
    )


def called(
    *replies: Reply,
    once: bool = False,
    date: str | None = None,
    clock: ServerClock | None = None,
    credentials: Callable[[], Credentials | None] = lambda: Credentials("access", "secret"),
) -> tuple[object, list[dict[str, str]]]:
    """What a call gives, or raises, and the requests that it made."""

    async def work(url: str) -> object:
        http = http_to(url, credentials=credentials, clock=clock)
        try:
            return await http.call("UpdateItem", {"TableName": "limits"}, once=once)
        except (ConditionFailed, Throttled, NoAnswer) as error:
            return error
        finally:
            await http.aclose()

    with Engine(*replies, date=date).running() as engine:
        return asyncio.run(work(engine.url)), engine.requests


@pytest.mark.parametrize("token", [None, "session/token=="])
@pytest.mark.parametrize("body", [b"", b'{"a": "\xc3\xa4"}'])
def test_the_signature_is_botocores(token: str | None, body: bytes) -> None:
    """Header by header, at the same second."""
    headers = {"content-type": "application/x-amz-json-1.0", "x-amz-target": "DynamoDB_20120810.GetItem"}
    credentials = Credentials("AKIDEXAMPLE", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY", token)
    request = AWSRequest("POST", "https://dynamodb.eu-central-1.amazonaws.com/", data=body, headers=dict(headers))
    SigV4Auth(credentials, "dynamodb", "eu-central-1").add_auth(request)
    stamp = time.mktime(time.strptime(request.headers["X-Amz-Date"], "%Y%m%dT%H%M%SZ")) - time.timezone
    signer = Signer(service="dynamodb", region="eu-central-1", host="dynamodb.eu-central-1.amazonaws.com")

    signed = [signer.sign(headers, body, credentials.get_frozen_credentials(), stamp) for _ in range(2)]

    theirs = {name.lower(): value for name, value in request.headers.items()}
    assert signed == [{**theirs, "host": "dynamodb.eu-central-1.amazonaws.com"}] * 2


def test_other_credentials_get_another_signature() -> None:
    """The key of the day is kept for one secret only."""
    signer = Signer(service="dynamodb", region="eu-central-1", host="host")
    both = [Credentials("same", secret).get_frozen_credentials() for secret in ("one", "two", "one")]

    signatures = [signer.sign({}, b"", credentials, 1.8e9)["authorization"] for credentials in both]

    assert signatures[0] == signatures[2] != signatures[1]


def test_an_answer_is_its_json() -> None:
    """Parsed."""
    assert called(OK)[0] == {"Item": {}}


def test_a_failed_condition_has_the_item() -> None:
    """As far as the engine tells it."""
    error, requests = called((400, FAILED_CONDITION))

    assert isinstance(error, ConditionFailed)
    assert (error.item, error.repeated, len(requests)) == ({"a": 1}, False, 1)


@pytest.mark.parametrize("lost", [NOT_ANSWERED, BROKEN])
def test_a_condition_that_fails_after_a_lost_answer_says_so(lost: Reply) -> None:
    """It may have failed because the call itself was applied."""
    error, requests = called(lost, (400, FAILED_CONDITION))

    assert isinstance(error, ConditionFailed)
    assert (error.repeated, len(requests)) == (True, 2)


def test_a_throttled_call_is_not_a_lost_one() -> None:
    """Nothing was applied."""
    error, _ = called(THROTTLE, (400, FAILED_CONDITION))

    assert isinstance(error, ConditionFailed)
    assert error.repeated is False


@pytest.mark.parametrize("failure", [THROTTLE, BROKEN, NOT_ANSWERED])
def test_what_fails_for_a_moment_is_tried_again(failure: Reply) -> None:
    """Twice."""
    answer, requests = called(failure, failure, OK)

    assert (answer, len(requests)) == ({"Item": {}}, 3)


@pytest.mark.parametrize(("failure", "kind"), [(THROTTLE, Throttled), (BROKEN, NoAnswer), (NOT_ANSWERED, NoAnswer)])
def test_what_fails_for_longer_is_given_up(failure: Reply, kind: type[Exception]) -> None:
    """After three attempts."""
    error, requests = called(failure)

    assert (type(error), len(requests)) == (kind, 3)


def test_what_will_not_get_better_is_not_tried_again() -> None:
    """A missing table, a missing permission. AWS's message stays out of ours."""
    error, requests = called(NO_TABLE)

    assert isinstance(error, NoAnswer)
    assert (str(error), len(requests)) == ("ResourceNotFoundException", 1)


def test_a_call_that_may_be_made_only_once_is() -> None:
    """Whatever happens to it."""
    error, requests = called(NOT_ANSWERED, once=True)

    assert (type(error), len(requests)) == (NoAnswer, 1)


def test_an_engine_that_is_not_there_is_no_answer() -> None:
    """After the attempts; the address is not told."""
    http = http_to("http://127.0.0.1:9")

    async def work() -> None:
        with pytest.raises(NoAnswer, match=r"^ClientConnectorError$"):
            await http.call("UpdateItem", {})
        await http.aclose()

    asyncio.run(work())


def test_an_engine_that_hangs_is_given_up() -> None:
    """A request waits for it, so each attempt has its time."""
    held = threading.Event()

    async def work(url: str) -> float:
        http = http_to(url, seconds=0.05)
        began = time.monotonic()
        with pytest.raises(NoAnswer, match="TimeoutError"):
            await http.call("UpdateItem", {}, once=True)
        await http.aclose()
        return time.monotonic() - began

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            held.wait()

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    try:
        assert asyncio.run(work(f"http://127.0.0.1:{server.server_port}")) < PATIENCE_SECONDS
    finally:
        held.set()
        server.shutdown()
        server.server_close()


def test_a_call_under_way_opens_nothing_after_the_connections_were_closed() -> None:
    """Nobody would close what it opened: it ends, as if the table did not answer."""

    async def work(engine: Engine) -> None:
        http = http_to(engine.url)
        call = asyncio.create_task(http.call("UpdateItem", {}))
        while not engine.requests:  # noqa: ASYNC110  another thread fills it
            await asyncio.sleep(0)
        await http.aclose()
        with pytest.raises(NoAnswer):
            await call
        assert http._session is None

    with Engine(BROKEN).running() as engine:
        asyncio.run(work(engine))

    assert len(engine.requests) == 1


def test_without_credentials_nothing_is_sent() -> None:
    """And the log says why."""
    error, requests = called(OK, credentials=lambda: None)

    assert isinstance(error, NoAnswer)
    assert (str(error), requests) == ("there are no AWS credentials", [])


def test_credentials_that_run_out_are_fetched_anew() -> None:
    """Those of a role last some hours."""
    fetched = []

    def fetch() -> dict[str, str]:
        fetched.append(1)
        ends = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + (1 if len(fetched) == 1 else 7200)))
        return {"access_key": f"key{len(fetched)}", "secret_key": "s", "token": "t", "expiry_time": ends}

    credentials = RefreshableCredentials.create_from_metadata(fetch(), refresh_using=fetch, method="test")

    async def work(url: str) -> None:
        http = http_to(url, credentials=lambda: credentials)
        for _ in range(2):
            await http.call("UpdateItem", {})
        await http.aclose()

    with Engine(OK).running() as engine:
        asyncio.run(work(engine.url))

    assert [request["authorization"].split("/")[0] for request in engine.requests] == [
        "AWS4-HMAC-SHA256 Credential=key2"
    ] * 2
    assert len(fetched) == 2


def test_a_request_has_what_dynamodb_wants() -> None:
    """And nothing more."""
    _, (request,) = called(OK)

    assert {name: request[name] for name in ("content-type", "x-amz-target")} == {
        "content-type": "application/x-amz-json-1.0",
        "x-amz-target": "DynamoDB_20120810.UpdateItem",
    }
    assert sorted(request) == ["authorization", "content-length", "content-type", "host", "x-amz-date", "x-amz-target"]


def test_a_wrong_clock_is_put_right_by_the_servers_date() -> None:
    """So that the processes of a deployment agree, to within two or three seconds."""
    clock = ServerClock(lambda: 1_800_000_000 * SECOND)

    called(OK, date="Fri, 15 Jan 2027 09:00:00 GMT", clock=clock)  # an hour later

    assert clock() == (1_800_003_600 * SECOND) + SECOND // 2


@pytest.mark.parametrize("seconds", [-2.0, -1.0, 0.0, 0.9])
def test_a_date_without_fractions_does_not_disturb_a_right_clock(seconds: float) -> None:
    """What it cannot tell is left as it is."""
    clock = ServerClock(lambda: 0)
    now = round((1_800_000_000 - seconds) * SECOND)

    clock.observe("Fri, 15 Jan 2027 08:00:00 GMT", now - SECOND // 10, now)

    assert clock() == 0


def test_a_clock_that_is_put_right_later_is_followed() -> None:
    """Its correction goes when the machine's clock no longer needs it."""
    wall = [1_800_000_000 * SECOND]
    clock = ServerClock(lambda: wall[0])
    clock.observe("Fri, 15 Jan 2027 09:00:00 GMT", clock(), clock())

    wall[0] += 3600 * SECOND
    before = clock()
    clock.observe("Fri, 15 Jan 2027 09:00:01 GMT", clock(), clock())

    assert before - 3600 * SECOND == 1_800_003_600 * SECOND + SECOND // 2
    assert clock() == 1_800_003_601 * SECOND + SECOND // 2


@pytest.mark.parametrize("date", ["", "soon", "Fri, 15 Jan 2027"])
def test_a_date_that_is_none_is_ignored(date: str) -> None:
    """Some proxy's."""
    clock = ServerClock(lambda: 5)

    clock.observe(date, 1, 2)

    assert clock() == 5


def test_a_proxy_of_the_environment_is_used_as_boto3_uses_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """But not for hosts that need none."""
    with Engine(OK).running() as proxy:
        monkeypatch.setenv("http_proxy", proxy.url)
        monkeypatch.setenv("no_proxy", "127.0.0.1")

        async def work(endpoint_url: str) -> object:
            http = http_to(endpoint_url)
            try:
                return await http.call("UpdateItem", {}, once=True)
            finally:
                await http.aclose()

        answer = asyncio.run(work("http://dynamodb.eu-central-1.example"))
        with pytest.raises(NoAnswer):
            asyncio.run(work("http://127.0.0.1:9"))

    assert (answer, proxy.requests[0]["host"]) == (from_json(OK[1]), "dynamodb.eu-central-1.example")
    assert to_json(answer) == b'{"Item":{}}'

"""DynamoDB's JSON protocol over aiohttp, for calls that every request makes.

boto3 in a thread takes ten times the CPU of this (tests/benchmarks/limits.py). Whoever uses it makes calls that may be
repeated: each failure but a refusal is retried here, and an answer that was lost is a failure.
"""

import asyncio
import random
import urllib.request
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import aiohttp
from pydantic_core import from_json, to_json

from megallm.limits.state import SECOND
from megallm.stores.aws import CONDITION_FAILED
from megallm.stores.server_clock import ServerClock
from megallm.stores.signing import Signer
from megallm.telemetry import log

if TYPE_CHECKING:
    from botocore.credentials import Credentials, ReadOnlyCredentials

_PROTOCOL = "DynamoDB_20120810"
# https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Programming.Errors.html
_THROTTLED = frozenset(
    {"ProvisionedThroughputExceededException", "RequestLimitExceeded", "ThrottlingException", "ThrottledException"}
)
_ATTEMPT_SECONDS = 2.0
_CONNECT_SECONDS = 1.0
_WAITS_SECONDS = (0.05, 0.2)  # between attempts, half to one and a half of it
_IDLE_SECONDS = 50.0


class ConditionFailed(Exception):
    """A write's condition did not hold. ``item`` is what stood there, as far as the engine tells it.

    ``repeated``: an earlier attempt of the same call may have been applied.
    """

    def __init__(self, item: Mapping[str, Any] | None, *, repeated: bool) -> None:
        super().__init__(CONDITION_FAILED)
        self.item = item
        self.repeated = repeated


class Throttled(Exception):
    """The table, or this item of it, has been asked for more than it can do, in each of some attempts."""


class NoAnswer(Exception):
    """The table does not answer, or does not let us in; the message has AWS's name for the reason."""


class DynamoHttp:
    """Calls to one region's DynamoDB."""

    def __init__(
        self,
        *,
        endpoint_url: str,
        region: str,
        credentials: "Callable[[], Credentials | None]",
        clock: ServerClock,
        attempt_seconds: float = _ATTEMPT_SECONDS,
        connect_seconds: float = _CONNECT_SECONDS,
    ) -> None:
        parts = urlsplit(endpoint_url)
        self._url = f"{parts.scheme}://{parts.netloc}/"
        self._signer = Signer(service="dynamodb", region=region, host=_host(parts.scheme, parts.netloc))
        self._find_credentials = credentials
        self._credentials: Credentials | None = None
        self._clock = clock
        self._timeout = aiohttp.ClientTimeout(total=attempt_seconds, sock_connect=connect_seconds)
        self._proxy = _proxy_for(parts.scheme, parts.hostname or "")
        self._session: aiohttp.ClientSession | None = None
        self._loop: asyncio.AbstractEventLoop | None = None

    async def call(self, operation: str, request: Mapping[str, object], *, once: bool = False) -> Mapping[str, Any]:
        """The operation's answer. Raises ConditionFailed, Throttled or NoAnswer. *once*: an attempt may be the last."""
        body, session = to_json(request), self._client()
        repeated = False
        failure: Exception
        for wait in (None,) if once else (*_WAITS_SECONDS, None):
            try:
                status, text = await self._send(session, operation, body)
            except (aiohttp.ClientError, OSError) as error:  # a TimeoutError is an OSError
                repeated, failure = True, NoAnswer(type(error).__name__)
                failure.__cause__ = error
            else:
                if status == 200:
                    answer: Mapping[str, Any] = from_json(text)
                    return answer
                code, item = _told(text)
                if code == CONDITION_FAILED:
                    raise ConditionFailed(item, repeated=repeated)
                if code in _THROTTLED:
                    failure = Throttled(code)
                elif status >= 500:
                    repeated, failure = True, NoAnswer(code)
                else:
                    failure = NoAnswer(code)
                    break
            if wait is None or session.closed:  # what a call under way opened after aclose() nobody would close
                break
            await asyncio.sleep(wait * (0.5 + random.random()))  # noqa: S311  it spreads retries, no secret
        log("dynamodb_failed", {"operation": operation, "failure": str(failure)})
        raise failure

    async def aclose(self) -> None:
        """Closes the connections."""
        session, self._session = self._session, None
        if session is not None:
            await session.close()

    async def _send(self, session: aiohttp.ClientSession, operation: str, body: bytes) -> tuple[int, bytes]:
        sent = self._clock()
        headers = self._signer.sign(
            {"content-type": "application/x-amz-json-1.0", "x-amz-target": f"{_PROTOCOL}.{operation}"},
            body,
            await self._frozen_credentials(),
            sent / SECOND,
        )
        if session.closed:
            raise aiohttp.ClientConnectionError
        async with session.post(self._url, data=body, headers=headers, proxy=self._proxy) as response:
            text = await response.read()
        date = response.headers.get("date")
        if date is not None:
            self._clock.observe(date, sent, self._clock())
        return response.status, text

    async def _frozen_credentials(self) -> "ReadOnlyCredentials":
        if self._credentials is None:
            self._credentials = await asyncio.to_thread(self._find_credentials)
            if self._credentials is None:
                raise NoAnswer("there are no AWS credentials")
        # Those of a role run out; fetching new ones is a call over the network.
        runs_out = getattr(self._credentials, "refresh_needed", None)
        if runs_out is not None and runs_out():
            return await asyncio.to_thread(self._credentials.get_frozen_credentials)
        return self._credentials.get_frozen_credentials()

    def _client(self) -> aiohttp.ClientSession:
        loop = asyncio.get_running_loop()
        if self._session is None or self._loop is not loop:
            self._loop = loop
            self._session = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(limit=0, keepalive_timeout=_IDLE_SECONDS),
                timeout=self._timeout,
                cookie_jar=aiohttp.DummyCookieJar(),
                auto_decompress=False,
                skip_auto_headers=("user-agent", "accept", "accept-encoding"),
            )
        return self._session


def _told(text: bytes) -> tuple[str, Mapping[str, Any] | None]:
    """The name of an error, and the item that came with it."""
    try:
        answer = from_json(text)
        return str(answer["__type"]).rpartition("#")[2], answer.get("Item")
    except (ValueError, KeyError, TypeError, AttributeError):
        return "an answer that is none of DynamoDB's", None


def _host(scheme: str, netloc: str) -> str:
    """The Host header: without a port that is the scheme's own."""
    return netloc.removesuffix(":443" if scheme == "https" else ":80")


def _proxy_for(scheme: str, host: str) -> str | None:
    """The proxy of the environment, as boto3 would use it; looked up once, not for every call."""
    if urllib.request.proxy_bypass(host):
        return None
    return urllib.request.getproxies().get(scheme)

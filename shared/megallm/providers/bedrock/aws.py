"""AWS's own code under this provider: the chain of credentials, signatures, and the frames of its event streams.

The only module of the providers that knows botocore. Nothing here sends a request to Bedrock; the chain itself may
ask a metadata service or STS, which blocks, and so happens in a thread.
"""

import asyncio
import struct
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.eventstream import EventStreamBuffer, ParserError
from botocore.exceptions import BotoCoreError, ClientError
from botocore.session import Session
from botocore.tokens import ScopedEnvTokenProvider

from megallm.errors import UpstreamFailed, UpstreamMisconfigured

if TYPE_CHECKING:
    from botocore.credentials import Credentials

_SERVICE = "bedrock"  # what is signed for; the host's name has "-runtime" behind it
# Source: botocore's data/partitions.json
_DOMAINS = {"cn-": "amazonaws.com.cn", "eusc-": "amazonaws.eu"}


@dataclass(frozen=True, slots=True)
class Signed:
    """Where a request goes, and its headers, the signature among them."""

    url: str
    headers: Mapping[str, str]


class Access:
    """Who we are for AWS. What is None comes from botocore's chain: environment, profile, container, instance.

    ``AWS_BEARER_TOKEN_BEDROCK`` goes before all other credentials, as in AWS's own SDKs.
    """

    def __init__(self, region: str | None, profile: str | None, endpoint_url: str | None) -> None:
        self._given_region = region
        self._profile = profile
        self._endpoint_url = endpoint_url
        self._session: Session | None = None
        self._region = ""
        self._token: str | None = None
        self._credentials: Credentials | None = None
        self._opening = threading.Lock()

    async def sign(self, path: str, headers: Mapping[str, str], body: bytes) -> Signed:
        """A POST request to this path. Raises UpstreamMisconfigured where no credentials or region are found."""
        try:
            if self._session is None:
                await asyncio.to_thread(self._open)
            return await self._sign(path, headers, body)
        except (BotoCoreError, ClientError) as error:
            raise UpstreamMisconfigured("The gateway has no valid credentials for this model's provider") from error

    def forget(self) -> None:
        """The credentials are refused: the next request looks for them anew, in files that were replaced too."""
        self._session = None

    async def _sign(self, path: str, headers: Mapping[str, str], body: bytes) -> Signed:
        url = f"{self._endpoint_url or f'https://bedrock-runtime.{self._region}.{_domain(self._region)}'}{path}"
        if self._token is not None:
            return Signed(url, {**headers, "authorization": f"Bearer {self._token}"})
        credentials = self._credentials
        assert credentials is not None
        if getattr(credentials, "refresh_needed", _never)():
            frozen = await asyncio.to_thread(credentials.get_frozen_credentials)
        else:
            frozen = credentials.get_frozen_credentials()
        request = AWSRequest("POST", url, headers=dict(headers), data=body)
        SigV4Auth(frozen, _SERVICE, self._region).add_auth(request)
        return Signed(url, dict(request.headers.items()))

    def _open(self) -> None:
        with self._opening:
            if self._session is None:
                self._resolve(Session(profile=self._profile))

    def _resolve(self, session: Session) -> None:
        region = self._given_region or session.get_config_variable("region")
        if region is None:
            raise UpstreamMisconfigured("The gateway does not know in which AWS region this model's provider is")
        token = ScopedEnvTokenProvider(session).load_token(signing_name=_SERVICE)
        credentials = None if token is not None else session.get_credentials()
        if token is None and credentials is None:
            raise UpstreamMisconfigured("The gateway has no credentials for this model's provider")
        self._region = region
        self._token = None if token is None else token.token
        self._credentials = credentials
        self._session = session


def _never() -> bool:
    return False


def _domain(region: str) -> str:
    return next((domain for prefix, domain in _DOMAINS.items() if region.startswith(prefix)), "amazonaws.com")


@dataclass(frozen=True, slots=True)
class Frame:
    """One message of an event stream: ``kind`` is ``event``, or ``exception``; ``name`` its type; then its payload."""

    kind: str
    name: str
    payload: bytes


class Frames:
    """Bytes in, frames out, wherever the bytes are cut; botocore checks lengths and checksums."""

    def __init__(self) -> None:
        self._buffer = EventStreamBuffer()
        self._held = 0

    def feed(self, chunk: bytes) -> list[Frame]:
        """The frames that are whole now. Raises UpstreamFailed for bytes that are none."""
        self._buffer.add_data(chunk)
        self._held += len(chunk)
        frames = []
        try:
            while (message := self._next()) is not None:
                self._held -= message.prelude.total_length
                frames.append(_frame(message.headers, message.payload))
        except (ParserError, UnicodeDecodeError, KeyError, struct.error) as error:
            raise UpstreamFailed("The upstream sent a damaged event stream") from error
        return frames

    def _next(self) -> Any:  # Any: botocore's stubs have the fields of a message wrong
        try:
            return self._buffer.next()
        except StopIteration:
            return None

    def finish(self) -> None:
        """The stream has ended. Raises UpstreamFailed where it did so in the middle of a frame."""
        if self._held:
            raise UpstreamFailed("The upstream's event stream broke off")


def _frame(headers: Mapping[str, object], payload: bytes) -> Frame:
    kind = str(headers.get(":message-type", "event"))
    # An unmodelled error has no exception's name but a code.
    name = headers.get(":exception-type") or headers.get(":error-code") or headers.get(":event-type")
    return Frame("event" if kind == "event" else "exception", str(name), payload)

"""A Bedrock on a free port of 127.0.0.1: it checks signatures, and answers what the test says."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from aiohttp import web
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from megallm.providers.bedrock.provider import BedrockProvider, BedrockSettings
from megallm.providers.http import Http
from megallm.providers.images import ImageSource

from .asking import counting_ids, signer, words

KEY_ID, SECRET = "AKIDEXAMPLE", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"
REGION = "us-west-2"


@dataclass(frozen=True, slots=True)
class Received:
    """One request. ``path`` is as it came over the wire, ``peer`` tells connections apart."""

    path: str
    headers: Mapping[str, str]
    body: bytes
    peer: object


@dataclass
class Hold:
    """A point of an answer at which the server waits until it is let go on, or left."""

    reached: asyncio.Event = field(default_factory=asyncio.Event)
    released: asyncio.Event = field(default_factory=asyncio.Event)
    left: asyncio.Event = field(default_factory=asyncio.Event)


@dataclass(frozen=True, slots=True)
class Answer:
    """A response in pieces; where ``whole`` is false, its end is cut off."""

    pieces: Sequence[bytes | Hold] = ()
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    whole: bool = True


Respond = Callable[[Received], Answer]


def refusal(name: str, status: int, message: str, **headers: str) -> Answer:
    """An error as Bedrock sends it."""
    told = {"x-amzn-errortype": f"{name}:http://internal.amazon.invalid/coral/"} | headers
    return Answer([b'{"message":"%b"}' % message.encode()], status, told)


def is_signed(received: Received, key_id: str = KEY_ID) -> bool:
    """Whether the signature is that of what came, computed by botocore from the very bytes and path."""
    scheme, _, rest = received.headers["authorization"].partition(" ")
    parts = dict(part.split("=", 1) for part in rest.split(", "))
    request = AWSRequest("POST", f"http://{received.headers['host']}{received.path}", data=received.body)
    for name in parts["SignedHeaders"].split(";"):
        request.headers[name] = received.headers[name]
    request.context["timestamp"] = received.headers["x-amz-date"]
    auth = SigV4Auth(Credentials(key_id, SECRET), "bedrock", REGION)
    signature = auth.signature(auth.string_to_sign(request, auth.canonical_request(request)), request)
    scope = f"{key_id}/{received.headers['x-amz-date'][:8]}/{REGION}/bedrock/aws4_request"
    return (scheme, parts["Credential"], parts["Signature"]) == ("AWS4-HMAC-SHA256", scope, signature)


class FakeBedrock:
    """The server between ``start`` and ``stop``; it remembers what it received."""

    def __init__(self, respond: Respond) -> None:
        self._respond = respond
        self._runner = web.ServerRunner(web.Server(self._handle, handler_cancellation=True), shutdown_timeout=1.0)
        self.received: list[Received] = []
        self.url = ""

    async def start(self) -> None:
        """Until it listens."""
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", 0)
        await site.start()
        host, port = self._runner.addresses[0]
        self.url = f"http://{host}:{port}"

    async def stop(self) -> None:
        """Until it does not."""
        await self._runner.cleanup()

    async def _handle(self, request: web.BaseRequest) -> web.StreamResponse:
        headers = {name.lower(): value for name, value in request.headers.items()}
        assert request.transport is not None
        peer = request.transport.get_extra_info("peername")
        received = Received(request.raw_path, headers, await request.read(), peer)
        self.received.append(received)
        answer = self._respond(received)
        response = web.StreamResponse(status=answer.status, headers=answer.headers)
        response.enable_chunked_encoding()
        await response.prepare(request)
        for piece in answer.pieces:
            if isinstance(piece, bytes):
                await response.write(piece)
                continue
            piece.reached.set()
            try:
                await piece.released.wait()
            except asyncio.CancelledError:
                piece.left.set()
                raise
        if not answer.whole:
            request.transport.close()  # without the last chunk; what was written still goes out
        return response


@asynccontextmanager
async def bedrock(
    respond: Respond, *, images: ImageSource | None = None, count_text: Callable[[str], int] = words
) -> AsyncIterator[tuple[FakeBedrock, BedrockProvider]]:
    """A server, and a provider that asks it; both are closed at the end."""
    server = FakeBedrock(respond)
    await server.start()
    http = Http()
    provider = BedrockProvider(
        name="bedrock",
        settings=BedrockSettings(region=REGION, endpoint_url=server.url),
        http=http,
        signer=signer,
        new_tool_id=counting_ids(),
        count_text=count_text,
        images=images,
    )
    try:
        yield server, provider
    finally:
        await provider.aclose()
        await http.aclose()
        await server.stop()


async def within(awaitable: Awaitable[object], seconds: float = 60.0) -> None:
    """Waits, but not for ever."""
    async with asyncio.timeout(seconds):
        await awaitable

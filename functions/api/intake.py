"""What every route reads off a request before its operation: the caller, the version, the betas, the body."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import get_args

from starlette.datastructures import Headers
from starlette.requests import Request
from starlette.types import Scope

from functions.api.disconnect import ClientGone
from functions.api.edge import trace_of
from megallm.errors import InvalidRequest, NotAuthenticated, RequestTooLarge, clip
from megallm.keys import Caller
from megallm.messages.caller_headers import CALLER_HEADERS
from megallm.messages.calls import ApiVersion
from megallm.operations.gateway import Gateway
from megallm.operations.route_call import Sender
from megallm.operations.stream_message import Patience

KNOWN_VERSIONS: tuple[ApiVersion, ...] = get_args(ApiVersion)
DEFAULT_VERSION: ApiVersion = "2023-06-01"

LOCAL_HOSTS = ("localhost", "127.0.0.1", "[::1]")
LOCAL_PEERS = ("127.0.0.1", "::1")
_CALLER_HEADERS = frozenset(name.encode() for name in CALLER_HEADERS)
PROXY_HEADERS = frozenset({"forwarded", "via", "x-real-ip", "cf-connecting-ip", "true-client-ip"})


@dataclass(frozen=True, slots=True)
class Intake:
    """The gateway, who may call without a key (nobody, unless the local stack says so), and how long a stream waits."""

    gateway: Gateway
    anonymous: Caller | None
    patience: Patience

    async def caller(self, request: Request) -> Caller:
        """Who calls. Raises NotAuthenticated."""
        key = _key(request.headers)
        if not key and self.anonymous is not None and _is_local(request):
            caller = self.anonymous
        else:
            caller = await self.gateway.authenticator.caller(key)
        trace = trace_of(request.scope)
        trace.key_id, trace.tier = caller.key_id, caller.tier
        return caller

    async def body(self, request: Request) -> bytes:
        """The JSON body's bytes. Raises InvalidRequest for another content type, RequestTooLarge."""
        headers = request.headers
        types = [kind for line in headers.getlist("content-type") for kind in line.split(",")]
        if any(kind.partition(";")[0].strip().lower() != "application/json" for kind in types):
            raise InvalidRequest("The content-type must be application/json")
        limit = self.gateway.settings.max_body_bytes
        declared = headers.get("content-length", "")
        too_large = declared.isascii() and declared.isdigit() and int(declared[:20]) > limit
        chunks: list[bytes] = []
        size = 0
        while True:
            message = await request.receive()
            if message["type"] == "http.disconnect":
                raise ClientGone
            chunk = message.get("body", b"")
            size += len(chunk)
            if size > limit:
                too_large = True
                chunks.clear()
            if not too_large:
                chunks.append(chunk)
            # A client that is still sending does not read: an answer now would be lost in a reset
            # connection. So the rest is read and thrown away, up to a bound.
            if not message.get("more_body", False) or size > 4 * limit:
                break
        if too_large:
            raise RequestTooLarge(f"The request body is larger than the {limit} bytes that this deployment takes")
        return chunks[0] if len(chunks) == 1 else b"".join(chunks)


def sender(request: Request) -> Sender:
    """Version, betas, the time there is, and whom it is for. Raises InvalidRequest for a version that is not known."""
    headers = request.headers
    version = _value(headers, "anthropic-version") or DEFAULT_VERSION
    if version not in KNOWN_VERSIONS:
        raise InvalidRequest(
            f"anthropic-version: {clip(version)!r} is not known; the known versions are {', '.join(KNOWN_VERSIONS)}",
            param="anthropic-version",
        )
    betas = [flag.strip() for line in headers.getlist("anthropic-beta") for flag in line.split(",")]
    flags = tuple(dict.fromkeys(flag for flag in betas if flag))
    return Sender(version, flags, _seconds_left(request.scope), _caller_headers(request.scope))


def _caller_headers(scope: Scope) -> tuple[tuple[str, str], ...]:
    """Raises InvalidRequest for what no header of an upstream call could hold, and for several values of one."""
    found: dict[str, str] = {}
    for raw, line in scope["headers"]:
        if raw not in _CALLER_HEADERS:
            continue
        name = raw.decode()
        for text in _values([line.decode("latin-1")]):
            if found.setdefault(name, text) != text:
                raise InvalidRequest(f"{name}: must be one value, not several", param=name)
            if not (text.isascii() and text.isprintable()):
                raise InvalidRequest(f"{name}: must be printable ASCII", param=name)
    return tuple(found.items())


def _value(headers: Headers, name: str) -> str | None:
    """A header that has one value. Several that differ come as a list, which is no key and no version."""
    return ", ".join(_values(headers.getlist(name))) or None


def _values(lines: Iterable[str]) -> Iterable[str]:
    """Each once. On Lambda a repeated header is one line with commas, which no key, version or id holds."""
    return dict.fromkeys(part for line in lines for each in line.split(",") if (part := each.strip(" \t")))


def _seconds_left(scope: Scope) -> float | None:
    """What the Lambda function that we run in has left (Mangum puts its context into the scope); None elsewhere."""
    context = scope.get("aws.context")
    milliseconds = getattr(context, "get_remaining_time_in_millis", None)
    return None if milliseconds is None else milliseconds() / 1000


def _key(headers: Headers) -> str | None:
    """``x-api-key``, else the bearer token (C01). Raises NotAuthenticated for another scheme."""
    key = _value(headers, "x-api-key")
    if key:
        return key
    authorization = _value(headers, "authorization")
    if not authorization:
        return None
    scheme, _, token = authorization.partition(" ")
    if scheme.lower() != "bearer":
        raise NotAuthenticated("The authorization header must be a Bearer token; or send the key as x-api-key")
    return token.strip() or None


def _is_local(request: Request) -> bool:
    """A loopback peer that asked for a loopback name, and no sign of a proxy, behind which the caller may be anyone."""
    headers = request.headers
    host = headers.get("host", "").lower()
    name = host.rpartition(":")[0] if not host.endswith("]") and ":" in host else host
    return (
        request.client is not None
        and request.client.host in LOCAL_PEERS
        and name in LOCAL_HOSTS
        and not any(name in PROXY_HEADERS or name.startswith("x-forwarded-") for name in headers)
    )

"""What can go wrong at an upstream, by name: the bytes that it sends, and what the gateway's caller is to be told."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from pydantic_core import to_json

from tests.contract.upstreams.dialect import Dialect, Refusal
from tests.contract.upstreams.dialects import good
from tests.contract.upstreams.http_bytes import chunk, chunked, head, opened, whole, zipped
from tests.contract.upstreams.listener import AtGate, Close, HalfClose, Received, Reset, Script, Send, Stall, Trickle

# Stands in all that an upstream says of itself, and may reach no caller.
CANARY = "account 4711 of the operator"


@dataclass(frozen=True, slots=True)
class Told:
    """An error as the caller gets it: a status, or, once a stream has begun, an error event of the same type."""

    status: int
    type: str
    retry: bool = True  # whether the SDKs may send the request again


CALLERS_FAULT = Told(400, "invalid_request_error", retry=False)
TOO_LARGE = Told(413, "request_too_large", retry=False)
LIMITED = Told(429, "rate_limit_error")
FAILED = Told(500, "api_error")
MISCONFIGURED = Told(500, "api_error", retry=False)
TIMED_OUT = Told(504, "timeout_error")
OVERLOADED = Told(529, "overloaded_error")


@dataclass(frozen=True, slots=True)
class Fault:
    """A way to fail. *outcome* is None where it is none: the good reply has to arrive whole."""

    name: str
    script: Callable[[Dialect, Received], Script]
    outcome: Told | None

    def __str__(self) -> str:
        return self.name.replace(" ", "-")


def _refusing(status: int, kinds: Mapping[str, str], **headers: str) -> Callable[[Dialect, Received], Script]:
    told = {name.replace("_", "-"): value for name, value in headers.items()}

    def script(dialect: Dialect, received: Received) -> Script:
        return dialect.refuse(Refusal(status, _named(dialect, kinds), f"{CANARY}: {_key(received)}", told))

    return script


def _named(dialect: Dialect, kinds: Mapping[str, str]) -> str:
    return kinds["bedrock" if dialect.name in ("invoke", "converse") else dialect.name]


def _key(received: Received) -> str:
    """What upstreams like to repeat when they refuse a key."""
    return received.headers.get("x-api-key") or received.headers.get("authorization", "")


def _kinds(chat: str, messages: str, bedrock: str) -> Mapping[str, str]:
    return {"chat": chat, "messages": messages, "bedrock": bedrock}


BAD_FIELD = "tools.0.input_schema: is not a schema"
_TOO_LARGE = _kinds("invalid_request_error", "request_too_large", "RequestEntityTooLargeException")
_INVALID = _kinds("invalid_request_error", "invalid_request_error", "ValidationException")
_LIMIT = _kinds("rate_limit_exceeded", "rate_limit_error", "ThrottlingException")
_DOWN = _kinds("server_error", "api_error", "InternalServerException")
_FULL = _kinds("overloaded", "overloaded_error", "ServiceUnavailableException")

# The text of these is the caller's to read: it is about the request.
CALLERS: tuple[Fault, ...] = (
    Fault("400", lambda dialect, _: dialect.refuse(Refusal(400, _named(dialect, _INVALID), BAD_FIELD)), CALLERS_FAULT),
    Fault("400 context overflow", lambda dialect, _: dialect.refuse(dialect.too_long()), CALLERS_FAULT),
    Fault(
        "413",
        lambda dialect, _: dialect.refuse(Refusal(413, _named(dialect, _TOO_LARGE), "Request exceeds the size")),
        TOO_LARGE,
    ),
)

REFUSALS: tuple[Fault, ...] = (
    Fault(
        "401",
        _refusing(401, _kinds("invalid_api_key", "authentication_error", "UnrecognizedClientException")),
        MISCONFIGURED,
    ),
    Fault(
        "403",
        _refusing(403, _kinds("permission_denied", "permission_error", "AccessDeniedException")),
        MISCONFIGURED,
    ),
    Fault(
        "404",
        _refusing(404, _kinds("model_not_found", "not_found_error", "ResourceNotFoundException")),
        MISCONFIGURED,
    ),
    Fault(
        "402",
        _refusing(402, _kinds("billing_not_active", "billing_error", "PaymentRequiredException")),
        MISCONFIGURED,
    ),
    Fault("408", _refusing(408, _kinds("timeout", "timeout_error", "ModelTimeoutException")), TIMED_OUT),
    Fault("429 with retry-after", _refusing(429, _LIMIT, retry_after="7"), LIMITED),
    Fault("429 without retry-after", _refusing(429, _LIMIT), LIMITED),
    Fault("429 with a retry-after of zero", _refusing(429, _LIMIT, retry_after="0"), LIMITED),
    Fault("500", _refusing(500, _DOWN), FAILED),
    Fault("503", _refusing(503, _FULL), OVERLOADED),
    Fault("529", _refusing(529, _FULL), OVERLOADED),
    Fault("504", _refusing(504, _kinds("timeout", "timeout_error", "ModelTimeoutException")), TIMED_OUT),
    Fault(
        "302",
        lambda *_: whole(302, b"", headers={"location": "http://127.0.0.1:9/elsewhere"}),
        MISCONFIGURED,
    ),
)

_HTML = f"<html><body><h1>Service Temporarily Unavailable</h1>{CANARY}</body></html>".encode()

RUBBISH: tuple[Fault, ...] = (
    Fault("HTML with 200", lambda *_: whole(200, _HTML, "text/html"), FAILED),
    Fault("HTML with 502", lambda *_: whole(502, _HTML, "text/html"), FAILED),
    Fault("HTML under the right content-type", lambda dialect, received: _answer(dialect, received, _HTML), FAILED),
    Fault("JSON cut short", lambda *_: whole(200, b'{"id": "x", "choices": [{"mess'), FAILED),
    Fault("JSON of another shape", lambda *_: whole(200, to_json({"object": "list", "data": [CANARY]})), FAILED),
    Fault("JSON null", lambda *_: whole(200, b"null"), FAILED),
    Fault("empty body", lambda *_: whole(200, b""), FAILED),
    Fault("empty stream", lambda dialect, received: _answer(dialect, received, b""), FAILED),
    Fault("no content", lambda *_: [Send(head(204, {}))], FAILED),
    Fault("empty 502", lambda *_: whole(502, b"", "text/plain"), FAILED),
    Fault("no UTF-8", lambda dialect, received: _answer(dialect, received, b'data: {"\xff\xfe": \x00}\n\n'), FAILED),
    Fault("no gzip", lambda *_: whole(200, b"not zipped", headers={"content-encoding": "gzip"}), FAILED),
    Fault("no HTTP", lambda *_: [Send(b"SSH-2.0-OpenSSH_9.9\r\n"), Close()], FAILED),
    Fault("a head without an end", lambda *_: [Send(b"HTTP/1.1 200 OK\r\nx: " + b"x" * 100_000), Close()], FAILED),
)


def _answer(dialect: Dialect, received: Received, body: bytes) -> Script:
    content_type = dialect.stream_type if dialect.wants_stream(received) else "application/json"
    return whole(200, body, content_type)


BREAKS: tuple[Fault, ...] = (
    Fault("closes at once", lambda *_: [Close()], FAILED),
    Fault("resets at once", lambda *_: [Reset()], FAILED),
    Fault("half-closes at once", lambda *_: [HalfClose()], FAILED),
    Fault("closes in the middle", lambda *given: [*half(*given), Close()], FAILED),
    Fault("resets in the middle", lambda *given: [*half(*given), Reset()], FAILED),
    Fault("half-closes in the middle", lambda *given: [*half(*given), HalfClose()], FAILED),
)

STALLS: tuple[Fault, ...] = (
    Fault("stalls before the head", lambda *_: [Stall()], TIMED_OUT),
    Fault("stalls after the head", lambda dialect, received: [open_answer(dialect, received), Stall()], TIMED_OUT),
    Fault("stalls in the middle", lambda *given: [*half(*given), Stall()], TIMED_OUT),
)


def open_answer(dialect: Dialect, received: Received) -> Send:
    """The head of a reply in chunks, as it was asked for."""
    return opened(dialect.stream_type if dialect.wants_stream(received) else "application/json")


def half(dialect: Dialect, received: Received) -> Script:
    """The first half of the good reply, of its frames or of its bytes; then the gate, which the client opens."""
    if not dialect.wants_stream(received):
        body = dialect.body()
        return [open_answer(dialect, received), chunk(body[: len(body) // 2]), AtGate()]
    return [open_answer(dialect, received), *map(chunk, half_of(dialect)), AtGate()]


def half_of(dialect: Dialect) -> list[bytes]:
    """The frames of half a reply: it has begun, and is not whole."""
    return list(dialect.frames()[: dialect.whole_after // 2])


def _idle(dialect: Dialect, received: Received) -> Script:
    if not dialect.wants_stream(received):
        return good(dialect, received)
    frames = [part for frame in dialect.frames() for part in (frame, dialect.idle_frame())]
    return chunked([dialect.idle_frame(), *frames], dialect.stream_type)


def _zipped(dialect: Dialect, received: Received) -> Script:
    if dialect.wants_stream(received):
        return zipped(dialect.frames(), dialect.stream_type)
    return zipped([dialect.body()], "application/json")


def _trickled(dialect: Dialect, received: Received) -> Script:
    return [Trickle(step.data) for step in good(dialect, received) if isinstance(step, Send)]


def _one_byte_chunks(dialect: Dialect, received: Received) -> Script:
    streams = dialect.wants_stream(received)
    body = b"".join(dialect.frames()) if streams else dialect.body()
    pieces = [body[at : at + 1] for at in range(len(body))]
    return [open_answer(dialect, received), Send(b"".join(chunk(piece).data for piece in pieces) + b"0\r\n\r\n")]


def _without_content_type(dialect: Dialect, received: Received) -> Script:
    return [Send(step.data.replace(b"content-type: ", b"x-content-type: ")) for step in _sends(dialect, received)]


def _sends(dialect: Dialect, received: Received) -> list[Send]:
    return [step for step in good(dialect, received) if isinstance(step, Send)]


def _until_closed(dialect: Dialect, received: Received) -> Script:
    """As HTTP/1.0 does it: neither a length nor chunks; the end of the connection is the end of the body."""
    streams = dialect.wants_stream(received)
    lines = {"content-type": dialect.stream_type if streams else "application/json", "connection": "close"}
    body = b"".join(dialect.frames()) if streams else dialect.body()
    return [Send(head(200, lines) + body), Close()]


# Odd, but right.
HARMLESS: tuple[Fault, ...] = (
    Fault("nothing", good, None),
    Fault("gzip", _zipped, None),
    Fault("byte by byte", _trickled, None),
    Fault("chunks of one byte", _one_byte_chunks, None),
    Fault("keep-alives between all frames", _idle, None),
    Fault("no content-type", _without_content_type, None),
    Fault("a body that ends with the connection", _until_closed, None),
)


def by_name(name: str, faults: tuple[Fault, ...]) -> Fault:
    """The one of this name."""
    return next(fault for fault in faults if fault.name == name)

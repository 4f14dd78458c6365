"""What can go wrong between `megallm connect` and a gateway, in plain words, each with its exit status."""

import ssl
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import httpx
from pydantic import BaseModel, ValidationError
from pydantic_core import from_json

NOBODY, REFUSED, BROKEN, NOT_STREAMING = 3, 4, 5, 6  # exit statuses

CONNECT_SECONDS = 10.0
# A gateway that streams pings every 15 s, a buffered one has 29.
SILENCE_SECONDS = 60.0


class NoAnswer(Exception):
    """There was no whole answer; the message says why, and what to do. ``exit_status`` is the command's."""

    def __init__(self, message: str, exit_status: int) -> None:
        super().__init__(message)
        self.exit_status = exit_status


class _Error(BaseModel):
    type: str
    message: str


class _Envelope(BaseModel):
    error: _Error
    request_id: str | None = None


@contextmanager
def failures(client: httpx.Client) -> Iterator[None]:
    """What the HTTP client raises, in plain words."""
    host, limit = client.base_url.netloc.decode(), client.timeout
    try:
        yield
    except httpx.ConnectTimeout as error:
        raise NoAnswer(f"{host} does not take a connection within {limit.connect:g} s.", NOBODY) from error
    except httpx.TimeoutException as error:
        raise NoAnswer(f"{host} was silent for {limit.read:g} s.", BROKEN) from error
    except httpx.ConnectError as error:
        why = _reason(error)
        raise NoAnswer(f"{host} cannot be reached: {why}.", NOBODY) from error
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        raise NoAnswer(f"the connection to {host} broke: {str(error) or type(error).__name__}.", BROKEN) from error
    except UnicodeError as error:
        raise NoAnswer(f"{host} cannot be reached: it is no name of a host.", NOBODY) from error
    except ValidationError as error:
        raise NoAnswer(f"{host} sent events that no gateway sends.", BROKEN) from error


def _reason(error: httpx.ConnectError) -> str:
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, ssl.SSLCertVerificationError):
            return f"its certificate is not valid, {cause.verify_message}"
        cause = cause.__cause__ or cause.__context__
    return str(error)


def refusal(status: int, headers: Mapping[str, str], body: bytes, *, unknown: str) -> NoAnswer:
    """Of an answer that is none of status 200. *unknown* is what to do where there is no such thing."""
    exit_status = REFUSED if 400 <= status < 500 else BROKEN
    what, hint = f"the gateway answers {status}", _hint(status, unknown)
    return told(body, exit_status, headers.get("request-id", ""), what, hint)


def told(body: bytes, exit_status: int, request_id: str, what: str, hint: str = "") -> NoAnswer:
    """With the words of the documented envelope; another body is not a gateway's."""
    try:
        envelope = _Envelope.model_validate(from_json(body))
    except ValueError:
        return NoAnswer(f"{what}, without the error that a gateway sends: is the address right, with its path?", NOBODY)
    error = f"{envelope.error.type}, {envelope.error.message}{of_request(envelope.request_id or request_id)}"
    return NoAnswer(f"{what}: {error}. {hint}".rstrip(), exit_status)


def of_request(request_id: str) -> str:
    """Under which id the gateway's log has it, where that was told."""
    return f" (request {request_id})" if request_id else ""


def _hint(status: int, unknown: str) -> str:
    match status:
        case 401:
            return "`megallm keys list` shows which keys there are; a new one may take 5 seconds to be known."
        case 404:
            return unknown
        case 429 | 529:
            return "Try again in a moment."
        case _ if status >= 500:
            return "The gateway's log has the cause under this request."
        case _:
            return ""


def stranger(client: httpx.Client, what: str) -> NoAnswer:
    """Somebody answers, and not as a gateway does."""
    return NoAnswer(f"{client.base_url} does not answer as a MegaLLM gateway: {what}.", NOBODY)

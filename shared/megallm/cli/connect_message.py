"""The smoke message of `megallm connect`: what it asks, what comes back, and when."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import httpx
from pydantic import BaseModel, ValidationError
from pydantic_core import to_json

from megallm.cli.connect_arrivals import Arrivals
from megallm.cli.connect_failures import (
    BROKEN,
    CONNECT_SECONDS,
    SILENCE_SECONDS,
    NoAnswer,
    failures,
    of_request,
    refusal,
    stranger,
    told,
)
from megallm.cli.connect_target import ChosenKey, FoundGateway
from megallm.errors import UpstreamFailed
from megallm.messages.sse import ServerSentEvent, SseDecoder

# Long enough to see it stream, and next to nothing of what it costs.
_QUESTION = "Count from one to thirty, in words."
_MAX_TOKENS = 64
_MOST_BYTES = 1_000_000


@dataclass(frozen=True, slots=True)
class Answer:
    """A whole answer, and what its head told: ids, the route that answered, what was adapted."""

    text: str
    arrivals: Arrivals
    request_id: str
    route: str
    adapted: str


def shown(answer: Answer) -> dict[str, object]:
    """As ``--json`` has it; times are seconds."""
    return {
        "first_token_seconds": round(answer.arrivals.first, 3),
        "whole_seconds": round(answer.arrivals.end, 3),
        "pieces": len(answer.arrivals.pieces),
        "delivery": answer.arrivals.delivery,
        "route": answer.route,
        "adapted": answer.adapted,
        "request_id": answer.request_id,
        "text": answer.text,
    }


class _Model(BaseModel):
    id: str


class _Models(BaseModel):
    data: list[_Model]


class _Delta(BaseModel):
    text: str = ""
    thinking: str = ""


class _BlockDelta(BaseModel):
    delta: _Delta


@contextmanager
def client_of(gateway: FoundGateway, key: ChosenKey | None, *, longest_seconds: float) -> Iterator[httpx.Client]:
    """A client with the key, which bears no longer silence than that.

    No redirects: they would carry the key elsewhere. A local gateway is not asked by a proxy.
    """
    headers = {"accept-encoding": "identity", "user-agent": "megallm-connect", "content-type": "application/json"}
    if key is not None:
        headers["x-api-key"] = key.value
    timeout = httpx.Timeout(min(SILENCE_SECONDS, longest_seconds), connect=min(CONNECT_SECONDS, longest_seconds))
    with httpx.Client(
        base_url=gateway.base_url, headers=headers, timeout=timeout, trust_env=not gateway.local
    ) as client:
        yield client


def listed_models(client: httpx.Client) -> list[str]:
    """The ids of the gateway's models, newest first, but those that no terminal should print. Raises NoAnswer."""
    with failures(client):
        response = client.get("/v1/models")
    if response.status_code != 200:
        unknown = "Is the address right, with its path?"
        raise refusal(response.status_code, response.headers, response.content, unknown=unknown)
    try:
        ids = [model.id for model in _Models.model_validate_json(response.content).data]
    except ValidationError:
        raise stranger(client, "it lists no models as a gateway does") from None
    return [model for model in ids if model.isprintable()]


def send_message(
    client: httpx.Client, model: str, *, longest_seconds: float, clock: Callable[[], float] = time.monotonic
) -> Answer:
    """Sends one to a gateway that has listed its models, and reads its stream to the end. Raises NoAnswer."""
    body = {
        "model": model,
        "max_tokens": _MAX_TOKENS,
        "stream": True,
        "messages": [{"role": "user", "content": _QUESTION}],
    }
    began = clock()
    with failures(client), client.stream("POST", "/v1/messages", content=to_json(body)) as response:
        if response.status_code != 200:
            unknown = "--model names another model."
            raise refusal(response.status_code, response.headers, _read(response), unknown=unknown)
        if not response.headers.get("content-type", "").startswith("text/event-stream"):
            raise stranger(client, "its answer to a streamed message is no stream of events")
        return _follow(response, began, longest_seconds, clock)


def _follow(response: httpx.Response, began: float, longest_seconds: float, clock: Callable[[], float]) -> Answer:
    decoder = SseDecoder()
    texts: list[str] = []
    pieces: list[float] = []
    stopped = False
    request_id = response.headers.get("request-id", "")
    for chunk in response.iter_raw():
        now = clock() - began
        if now > longest_seconds:
            raise NoAnswer(f"the answer did not end within {longest_seconds:g} s{of_request(request_id)}.", BROKEN)
        for event in _events(decoder, chunk):
            match event.event:
                case "content_block_delta":
                    delta = _BlockDelta.model_validate_json(event.data).delta
                    if delta.text or delta.thinking:
                        pieces.append(now)
                    texts.append(delta.text)
                case "error":
                    raise told(event.data.encode(), BROKEN, request_id, "the answer broke off")
                case "message_stop":
                    stopped = True
                case _:
                    pass
    if not stopped:
        raise NoAnswer(f"the answer broke off without an end{of_request(request_id)}.", BROKEN)
    return Answer(
        text="".join(texts),
        arrivals=Arrivals(tuple(pieces), clock() - began, "content-length" in response.headers),
        request_id=request_id,
        route=response.headers.get("megallm-route", ""),
        adapted=response.headers.get("megallm-adapted", ""),
    )


def _events(decoder: SseDecoder, chunk: bytes) -> list[ServerSentEvent]:
    try:
        return decoder.feed(chunk)
    except UpstreamFailed as error:
        raise NoAnswer("the answer is no stream of events.", BROKEN) from error


def _read(response: httpx.Response) -> bytes:
    body = b""
    for chunk in response.iter_raw():
        body += chunk
        if len(body) > _MOST_BYTES:
            break
    return body

"""Asks a running gateway through the official Python SDK, in this process, and tells what its user gets."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import anthropic
from anthropic import Anthropic

from tests.contract.samples import HELLO, TOOL
from tests.contract.upstreams.dialect import CONTENT, INPUT_TOKENS, OUTPUT_TOKENS, STOP_REASON
from tests.contract.upstreams.faults import CANARY, Told
from tests.contract.upstreams.listener import Gate
from tests.contract.upstreams.staging import SECRETS, Stage

Json = Any  # what goes over the wire
Mode = Literal["plain", "stream"]

QUESTION: dict[str, Json] = {**HELLO, "tools": [TOOL]}

# The classes of the SDK's 2.12, by status.
CLASSES: Mapping[int, type[anthropic.APIStatusError]] = {
    400: anthropic.BadRequestError,
    413: anthropic.ContentTooLargeError,
    429: anthropic.RateLimitError,
    500: anthropic.InternalServerError,
    504: anthropic.GatewayTimeoutError,
    529: anthropic.OverloadedError,
}


@dataclass(frozen=True, slots=True)
class Whole:
    """A message that the SDK takes for whole."""

    content: Json
    stop_reason: str | None
    input_tokens: int
    output_tokens: int
    headers: Mapping[str, str] = field(compare=False, default_factory=dict)


@dataclass(frozen=True, slots=True)
class Failed:
    """What the SDK raised. *begun* tells that the stream had begun, so that it had to be an error event."""

    kind: str  # the SDK's class
    status: int
    type: str | None
    begun: bool
    message: str = field(compare=False)
    headers: Mapping[str, str] = field(compare=False)


GOOD = Whole(CONTENT, STOP_REASON, INPUT_TOKENS, OUTPUT_TOKENS)


def failed(told: Told | None, *, begun: bool = False) -> Failed:
    """What the SDK makes of it: a class by the status; once a stream has begun the status is 200, and has none."""
    assert told is not None
    kind = "APIStatusError" if begun else CLASSES[told.status].__name__
    return Failed(kind, 200 if begun else told.status, told.type, begun, "", {})


def ask(stage: Stage, model: str, mode: Mode, *, gate: Gate | None = None) -> Whole | Failed:
    """One request; what holds for every one of them is checked here. The gate is opened once a stream has begun.

    Its slot is free and settled once when it is over, its request id is ours and the same everywhere, and nothing of
    the operator's shows in it.
    """
    settled_before = len(stage.limiter.settled)
    outcome = ask_beside_others(stage, model, mode, gate=gate)
    stage.limiter.wait_until_empty()
    assert len(stage.limiter.settled) == settled_before + 1
    return outcome


def ask_beside_others(
    stage: Stage, model: str, mode: Mode, *, text: str = "Hello", gate: Gate | None = None
) -> Whole | Failed:
    """The same where other requests run, so that settlements cannot be told apart."""
    params = {**QUESTION, "model": model, "messages": [{"role": "user", "content": text}]}
    outcome = _ask(stage.client, params, mode, gate or Gate())
    assert outcome.headers["request-id"].startswith("req_")
    assert "upstream" not in outcome.headers["request-id"]
    return outcome


def _ask(client: Anthropic, params: Mapping[str, Json], mode: Mode, gate: Gate) -> Whole | Failed:
    try:
        if mode == "plain":
            gate.release()
            raw = client.messages.with_raw_response.create(**params)
            return _whole(raw.parse(), raw.headers)
        with client.messages.stream(**params) as stream:
            for _ in stream:
                gate.release()
            return _whole(stream.get_final_message(), stream.response.headers)
    except anthropic.APIStatusError as error:
        return _failed(error)


def _whole(message: anthropic.types.Message, headers: Mapping[str, str]) -> Whole:
    content = [block.to_dict(mode="json") for block in message.content]
    usage = message.usage
    assert message.id.startswith("msg_")
    assert "upstream" not in message.id
    return Whole(
        [{name: value for name, value in block.items() if value is not None} for block in content],
        message.stop_reason,
        usage.input_tokens,
        usage.output_tokens,
        dict(headers),
    )


def _failed(error: anthropic.APIStatusError) -> Failed:
    headers = dict(error.response.headers)
    body: Json = error.body
    assert body["request_id"] == headers["request-id"] == error.request_id
    shown = f"{body}{headers}"
    assert [secret for secret in SECRETS if secret in shown] == []
    assert "the upstream's own words" not in shown
    assert CANARY not in shown
    return Failed(
        type(error).__name__,
        error.status_code,
        body["error"]["type"],
        error.response.status_code == 200,
        body["error"]["message"],
        headers,
    )

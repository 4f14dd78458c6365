"""The body of InvokeModel from a request in our own format. Pure."""

from dataclasses import dataclass

from pydantic_core import to_json

from megallm.messages.calls import Adaptation, Call
from megallm.messages.native.body import native_body
from megallm.messages.requests import MessagesRequest, TokenCountRequest
from megallm.providers.bedrock.invoke.adapt import adapted

# Source: https://docs.aws.amazon.com/bedrock/latest/userguide/model-parameters-anthropic-claude-messages-request-response.html
_VERSION = "bedrock-2023-05-31"
# The model stands in the URL, and whether to stream in the operation.
_ELSEWHERE = frozenset({"model", "stream"})
_LETTERS_A_TOKEN = 4


@dataclass(frozen=True, slots=True)
class InvokeWire:
    """A body that is ready; ``estimated_tokens`` is a cheap guess at the input, until Bedrock tells."""

    body: bytes
    estimated_tokens: int
    stop_sequences: tuple[str, ...]
    adaptations: tuple[Adaptation, ...]


def invoke_body(call: Call[MessagesRequest]) -> InvokeWire:
    """Raises InvalidRequest for what Bedrock cannot do at all, with the path of the field."""
    call, changes = adapted(call)
    native = native_body(call, model=None, extra={"anthropic_version": _VERSION}, without=_ELSEWHERE)
    body = _with_betas(native.body, native.betas)
    return InvokeWire(
        body,
        max(1, len(body) // _LETTERS_A_TOKEN),
        tuple(call.request.stop_sequences or ()),
        (*changes, *native.adaptations),
    )


def count_body(call: Call[TokenCountRequest]) -> bytes:
    """What CountTokens is asked about: a body that InvokeModel would take. Raises InvalidRequest."""
    call, _ = adapted(call)
    native = native_body(call, model=None, extra={"anthropic_version": _VERSION, "max_tokens": 1}, without=_ELSEWHERE)
    return _with_betas(native.body, native.betas)


def _with_betas(body: bytes, betas: tuple[str, ...]) -> bytes:
    """Bedrock reads flags in the body, in place of a header."""
    return body if not betas else b'%b,"anthropic_beta":%b}' % (body.rstrip()[:-1], to_json(betas))

"""The body of InvokeModel from a request in our own format. Pure."""

from dataclasses import dataclass

from pydantic_core import from_json, to_json

from megallm.messages.caller_headers import lost_headers
from megallm.messages.calls import Adaptation, Call
from megallm.messages.native.body import native_body
from megallm.messages.native.splice import splice
from megallm.messages.requests import MessagesRequest, TokenCountRequest
from megallm.providers.bedrock.invoke.adapt import adapted, told_format
from megallm.providers.judging import Fault, Format
from megallm.providers.schemas import schema_of

# Source: https://docs.aws.amazon.com/bedrock/latest/userguide/model-parameters-anthropic-claude-messages-request-response.html
_VERSION = "bedrock-2023-05-31"
# The model stands in the URL, and whether to stream in the operation.
_ELSEWHERE = frozenset({"model", "stream"})
_LETTERS_A_TOKEN = 4


@dataclass(frozen=True, slots=True)
class InvokeWire:
    """A body that is ready; ``estimated_tokens`` is a cheap guess at the input, until Bedrock tells.

    ``format`` is what the reply has to be judged by; None where it is not, or the model is held to it.
    """

    body: bytes
    estimated_tokens: int
    stop_sequences: tuple[str, ...]
    adaptations: tuple[Adaptation, ...]
    format: Format | None = None


def invoke_body(call: Call[MessagesRequest]) -> InvokeWire:
    """Raises InvalidRequest for what Bedrock cannot do at all, with the path of the field."""
    format_ = _format(call)
    call, changes = adapted(call)
    native = native_body(call, model=None, extra={"anthropic_version": _VERSION}, without=_ELSEWHERE)
    body = _with_betas(native.body, native.betas)
    return InvokeWire(
        body,
        max(1, len(body) // _LETTERS_A_TOKEN),
        tuple(call.request.stop_sequences or ()),
        (*changes, *native.adaptations, *lost_headers(call)),
        format_,
    )


def count_body(call: Call[TokenCountRequest]) -> bytes:
    """What CountTokens is asked about: a body that InvokeModel would take. Raises InvalidRequest."""
    call, _ = adapted(call)
    native = native_body(call, model=None, extra={"anthropic_version": _VERSION, "max_tokens": 1}, without=_ELSEWHERE)
    return _with_betas(native.body, native.betas)


def repair_body(body: bytes, fault: Fault) -> bytes:
    """The body that asks once more: with the reply that was wrong, and what is wrong with it.

    A reply without words is not shown: the API takes no empty text.
    """
    turns = [{"role": "assistant", "content": fault.text}] if fault.text.strip() else []
    turns.append({"role": "user", "content": fault.complaint})
    end = len(from_json(body)["messages"])
    return splice(body, {"messages": {at: to_json(turn).decode() for at, turn in enumerate(turns, start=end)}})


def _format(call: Call[MessagesRequest]) -> Format | None:
    wanted = told_format(call)
    if wanted is None:
        return None
    return Format(schema_of(wanted, prefilled=call.request.messages[-1].role == "assistant"))


def _with_betas(body: bytes, betas: tuple[str, ...]) -> bytes:
    """Bedrock reads flags in the body, in place of a header."""
    return body if not betas else b'%b,"anthropic_beta":%b}' % (body.rstrip()[:-1], to_json(betas))

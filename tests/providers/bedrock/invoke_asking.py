"""What the tests of InvokeModel's body ask, and what they look at in it."""

from pydantic_core import from_json

from megallm.messages.calls import Adaptation, Call
from megallm.messages.requests import MessagesRequest
from megallm.providers.bedrock.invoke.wire import InvokeWire, invoke_body

from .asking import call_of

SCHEMA = {"type": "object"}
FORMAT = {"type": "json_schema", "schema": SCHEMA}
PREFILL = [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "The answer is "}]


def claude(content: object = "Hello", **more: object) -> Call[MessagesRequest]:
    """A call by the table for Claude."""
    return call_of(content, table="bedrock", **more)  # type: ignore[arg-type]  # fields of any type


def body_of(wire: InvokeWire) -> dict[str, object]:
    """What goes over the wire."""
    body: dict[str, object] = from_json(wire.body)
    return body


def sent(content: object = "Hello", **more: object) -> tuple[dict[str, object], tuple[Adaptation, ...]]:
    """The body, and what was adapted."""
    wire = invoke_body(claude(content, **more))
    return body_of(wire), wire.adaptations

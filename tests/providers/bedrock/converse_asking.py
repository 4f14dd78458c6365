"""What the tests of the translation to Converse ask, and what they look at in its body."""

from pydantic_core import from_json

from megallm.messages.calls import Adaptation, Call
from megallm.messages.requests import MessagesRequest
from megallm.providers.bedrock.converse.wire import ConverseWire, to_wire

from .asking import NOVA, PNG, SIGNER, WEATHER, call_of

ROUTE = f"bedrock/{NOVA}"
WEATHER_SPEC = {
    "toolSpec": {
        "name": "get_weather",
        "description": WEATHER["description"],
        "inputSchema": {"json": WEATHER["input_schema"]},
    }
}
SOURCE = {"type": "base64", "media_type": "image/png", "data": PNG}
IMAGE = {"type": "image", "source": SOURCE}
WIRE_IMAGE = {"image": {"format": "png", "source": {"bytes": PNG}}}
SCHEMA = {"type": "object", "properties": {"a": {"type": "integer"}}}
FORMAT = {"format": {"type": "json_schema", "schema": SCHEMA}}
USED = {"toolUse": {"toolUseId": "t1", "name": "get_weather", "input": {"city": "Paris"}}}


def replays(signature: str, thinking: str) -> bool:
    """As the provider decides it."""
    return SIGNER.route_of(signature, thinking) == ROUTE


def wire_of(call: Call[MessagesRequest]) -> ConverseWire:
    """The translated request."""
    return to_wire(call, replays)


def body_of(wire: ConverseWire) -> dict[str, object]:
    """What goes over the wire."""
    body: dict[str, object] = from_json(wire.body)
    return body


def told(content: object, **more: object) -> tuple[object, tuple[Adaptation, ...]]:
    """The messages of the body, and what was adapted."""
    wire = wire_of(call_of(content, **more))  # type: ignore[arg-type]  # fields of any type
    return body_of(wire)["messages"], wire.adaptations


def user(*content: object) -> dict[str, object]:
    """A user's turn as Converse has it."""
    return {"role": "user", "content": list(content)}

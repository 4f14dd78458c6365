"""The law of a stream as clients see it (contract C25, C28): bytes of frames in, an AssertionError for what is illegal.

Reads frames by rules of its own, so that a fault of the gateway's decoder does not hide one of its encoder.
"""

import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

Payload = dict[str, Any]  # Any: JSON


@dataclass
class WireLaw:
    """Takes one frame after the other; any prefix that it has taken is legal."""

    kinds: list[str] = field(default_factory=list)
    begun: int = 0
    open: bool = False

    @property
    def is_whole(self) -> bool:
        """Whether the last one was message_stop."""
        return self.kinds[-1:] == ["message_stop"]

    def take(self, payload: Payload) -> None:
        """The next frame's payload. Raises AssertionError."""
        kind = payload["type"]
        assert not set(self.kinds[-1:]) & {"message_stop", "error"}, f"{kind} after the end"
        assert (kind == "message_start") == (not self.kinds) or kind == "error", f"{kind} at {len(self.kinds)}"
        match kind:
            case "message_start":
                self._message_start(payload["message"])
            case "content_block_start":
                assert not self.open, "two blocks are open"
                assert "message_delta" not in self.kinds, "a block after message_delta"
                assert payload["index"] == self.begun, "a gap in the indices"
                assert isinstance(payload["content_block"]["type"], str)
                self.begun, self.open = self.begun + 1, True
            case "content_block_delta":
                self._of_the_open_block(payload)
                assert isinstance(payload["delta"]["type"], str)
            case "content_block_stop":
                self._of_the_open_block(payload)
                self.open = False
            case "message_delta":
                assert not self.open, "message_delta while a block is open"
                assert isinstance(payload["delta"]["stop_reason"], str)
                assert isinstance(payload["usage"]["output_tokens"], int)
            case "message_stop":
                assert "message_delta" in self.kinds, "an end without its reason"
            case _:
                pass
        self.kinds.append(kind)

    def _message_start(self, message: Payload) -> None:
        usage = message["usage"]
        assert message["content"] == []
        assert usage["input_tokens"] + usage["cache_read_input_tokens"] + usage["cache_creation_input_tokens"] > 0

    def _of_the_open_block(self, payload: Payload) -> None:
        assert self.open, f"{payload['type']} while no block is open"
        assert payload["index"] == self.begun - 1, f"{payload['type']} of another block"


def payloads(stream: bytes) -> list[Payload]:
    """The payloads of whole frames, each with ``event:`` and a ``data:`` whose type is the same."""
    *frames, rest = stream.split(b"\n\n")
    assert rest == b"", "half a frame"
    return [_payload(frame) for frame in frames]


def check(frames: Iterable[bytes]) -> WireLaw:
    """Every prefix of these frames is legal."""
    law = WireLaw()
    for payload in payloads(b"".join(frames)):
        law.take(payload)
    return law


def _payload(frame: bytes) -> Payload:
    first, *lines = frame.split(b"\n")
    assert first.startswith(b"event: "), f"a frame without its event: {frame!r}"
    assert lines, f"a frame without data: {frame!r}"
    assert all(line.startswith(b"data: ") for line in lines), f"a line that is no data: {frame!r}"
    payload = json.loads(b"\n".join(line.removeprefix(b"data: ") for line in lines))
    assert isinstance(payload, dict)
    assert payload["type"] == first.removeprefix(b"event: ").decode(), "two names for one event"
    return payload

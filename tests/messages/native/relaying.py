"""Short ways to put an upstream's bytes through the decoder and the relay, and the frames to the official SDK."""

from collections.abc import Iterable, Sequence
from typing import Any

import anthropic
import httpx2

from megallm.messages.events import StreamEvent
from megallm.messages.native.relay import NativeRelay
from megallm.messages.sse import SseDecoder, encode

MESSAGE_ID, MODEL = "msg_ours", "claude-asked-for"


class Relaying:
    """A decoder and a relay, fed with pieces; ``frames`` are what clients got so far."""

    def __init__(self, stop_sequences: Sequence[str] = (), input_estimate: int = 7) -> None:
        self.relay = NativeRelay(input_estimate=input_estimate, stop_sequences=stop_sequences)
        self._decoder = SseDecoder()
        self.events: list[StreamEvent] = []

    @property
    def frames(self) -> list[bytes]:
        return [encode(event, MESSAGE_ID, MODEL) for event in self.events]

    def feed(self, *pieces: bytes) -> None:
        for piece in pieces:
            for event in self._decoder.feed(piece):
                self.events += self.relay.event(event.event, event.data)

    def finish(self) -> None:
        for event in self._decoder.finish():
            self.events += self.relay.event(event.event, event.data)
        self.relay.finish()


def relayed(pieces: Iterable[bytes], stop_sequences: Sequence[str] = ()) -> list[bytes]:
    """The frames of a whole stream."""
    relaying = Relaying(stop_sequences)
    relaying.feed(*pieces)
    relaying.finish()
    return relaying.frames


def accumulated(frames: Iterable[bytes]) -> dict[str, Any]:
    """The message that the SDK's users end up with, as JSON."""
    body = b"".join(frames)

    def answer(_: httpx2.Request) -> httpx2.Response:
        return httpx2.Response(200, headers={"content-type": "text/event-stream"}, content=body)

    http = httpx2.Client(transport=httpx2.MockTransport(answer))
    with (
        anthropic.Anthropic(api_key="k", base_url="http://gateway", http_client=http) as client,
        client.beta.messages.stream(model=MODEL, max_tokens=9, messages=[{"role": "user", "content": "Hi"}]) as stream,
    ):
        message: dict[str, Any] = stream.get_final_message().to_dict(mode="json")
    return message
